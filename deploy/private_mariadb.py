"""Runs a MariaDB of our own from installed programs: a free port, a scratch directory, durable as in production."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

from deploy import process
from deploy.endpoint import ServerMissing, Unusable, free_ports, kept_password
from deploy.probe import mysql_version

#: Where packages keep the server away from PATH (Debian, Homebrew on Apple and Intel).
HOMES = ("/usr/sbin", "/usr/libexec", "/opt/homebrew/opt/mariadb/bin", "/usr/local/opt/mariadb/bin")

#: Seconds until a server that was started must answer, and until one that was told to stop must be gone.
START_SECONDS = 60
STOP_SECONDS = 60

#: As a server is that nobody has tuned, but for where it answers; every commit is on the disk, as by default.
SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "ON",
    "max-connections": "200",
    "innodb-flush-log-at-trx-commit": "1",
}

USER = "baton"


def programs() -> tuple[Path, Path] | None:
    """Return the paths of the server and of the program that makes its first tables, or None."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *HOMES])
    server = shutil.which("mariadbd", path=path)
    initialise = shutil.which("mariadb-install-db", path=path)
    return (Path(server), Path(initialise)) if server and initialise else None


class PrivateMariadb:
    """One MariaDB in ``directory``; what was stored there before is there again after a restart."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._data = directory / "data"
        self._init_file = directory / "init.sql"

    def start(self) -> str:
        """Start the server and return its URL, without a database: its user may do everything.

        Raises:
            ServerMissing: it is not installed, or does not start; the text carries its own words.
        """
        found = programs()
        if found is None:
            raise ServerMissing("MariaDB is not installed: mariadbd and mariadb-install-db were not found.")
        server, initialise = found
        self.directory.mkdir(parents=True, exist_ok=True)
        _give_to_owner(self.directory)
        if not self._data.exists():
            self._initialise(initialise)
        port, password = free_ports(1)[0], self._let_us_in()
        settings = {
            **SETTINGS,
            "port": port,
            "datadir": self._data,
            "tmpdir": self.directory,
            "socket": self.directory / "socket",
            "init-file": self._init_file,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [str(server), "--no-defaults", *_as_owner(), *options]
        running = process.start("mariadbd", command, os.environ, self.directory, cwd=self.directory)
        url = f"mysql://{USER}:{password}@127.0.0.1:{port}"
        self._wait(running, url)
        return url

    def stop(self) -> None:
        """Stop the server, if it runs, after it has written everything down."""
        process.end(process.noted(self.directory), self.directory, STOP_SECONDS)

    def _initialise(self, program: Path) -> None:
        making = self.directory / "making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        _give_to_owner(making)
        done = subprocess.run(
            [str(program), "--no-defaults", f"--datadir={making}", "--skip-test-db", *_as_owner()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.directory,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise ServerMissing(f"{program.name} failed:\n{done.stdout[-2000:]}")
        making.rename(self._data)

    def _let_us_in(self) -> str:
        """Write what the server does at its start, which makes our user; return the user's password."""
        password = kept_password(self.directory)
        user = f"'{USER}'@'127.0.0.1'"
        self._init_file.touch(0o600)
        self._init_file.write_text(
            f"CREATE OR REPLACE USER {user} IDENTIFIED BY '{password}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO {user} WITH GRANT OPTION;\n"
        )
        _give_to_owner(self._init_file)
        return password

    def _wait(self, server: process.Process, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        why = "it did not answer"
        while time.monotonic() < deadline and server.alive():
            try:
                mysql_version(url)
            except Unusable as error:
                why = str(error)
                time.sleep(0.1)
            else:
                return
        words = process.last_words("mariadbd", self.directory)
        self.stop()
        raise ServerMissing(f"MariaDB did not start within {START_SECONDS} s ({why}):\n{words}")


def _owner() -> str | None:
    """Return the user under whom MariaDB runs when we are root, which it refuses to run as; else None."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return "mysql" if "mysql" in known else "nobody"


def _as_owner() -> list[str]:
    owner = _owner()
    return [f"--user={owner}"] if owner else []


def _give_to_owner(path: Path) -> None:
    owner = _owner()
    if owner is not None:
        shutil.chown(path, owner)
