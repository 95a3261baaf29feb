"""Installs Debian's packages where that is allowed, and says what to install where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.endpoint import ServerMissing

#: What asks this file before a package starts a service; exit code 101 means: do not.
POLICY = Path("/usr/sbin/policy-rc.d")

#: Seconds for apt-get; a slow mirror needs minutes for Erlang.
APT_SECONDS = 900

HOMEBREW = {"postgresql": "postgresql@16"}


def install(packages: Sequence[str], instead: str = "") -> None:
    """Install Debian packages without starting the services that they bring.

    ``instead`` says what else somebody can do who may not install: "name running servers in …".

    Raises:
        ServerMissing: this is no Debian, we may not install, or apt-get failed; the text says what to do by hand.
    """
    become_root = _become_root()
    if shutil.which("apt-get") is None or become_root is None:
        raise ServerMissing(by_hand(packages, instead))
    print(f"Installing {', '.join(packages)} with apt-get …", file=sys.stderr, flush=True)
    with _services_kept_down(become_root):
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            _apt(become_root, arguments, by_hand(packages, instead))


def by_hand(packages: Sequence[str], instead: str = "") -> str:
    """Return the sentence that says how somebody installs these packages on this machine."""
    if sys.platform == "darwin":
        names = " ".join(HOMEBREW.get(package, package.removesuffix("-server")) for package in packages)
        command = f"brew install {names}"
    elif shutil.which("apt-get"):
        command = f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
    else:
        command = f"your system's package manager: {' and '.join(packages)}"
    otherwise = f"\nor {instead}." if instead else ""
    return f"Not found and not installable from here: {', '.join(packages)}. Install with\n    {command}{otherwise}"


def _become_root() -> list[str] | None:
    """Return the words to put before a command that needs root, or None when we cannot become root."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    allowed = subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0
    return [sudo, "-n"] if allowed else None


@contextmanager
def _services_kept_down(become_root: list[str]) -> Iterator[None]:
    """Keep packages from starting system services, unless the machine has a policy of its own about that."""
    if POLICY.exists():
        yield
        return
    write = f"printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}"
    subprocess.run([*become_root, "sh", "-c", write], check=True)
    try:
        yield
    finally:
        subprocess.run([*become_root, "rm", "-f", str(POLICY)], check=True)


def _apt(become_root: list[str], arguments: list[str], otherwise: str) -> None:
    try:
        done = subprocess.run(
            [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerMissing(f"apt-get took longer than {APT_SECONDS} s.\n{otherwise}") from error
    if done.returncode != 0:
        raise ServerMissing(f"apt-get {arguments[0]} failed:\n{done.stdout[-2000:]}\n{otherwise}")
