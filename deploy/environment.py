"""Makes the virtual environment from the pinned versions; runs before anything is installed, on Python alone."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

from deploy.endpoint import ServerMissing
from deploy.packages import install

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"

#: Everything that the commands of the Makefile need.
EXTRAS = "demo,flower,dev"

OLDEST = (3, 11)


def make(folder: Path) -> None:
    """Make the environment in ``folder``, or bring it up to the pinned versions.

    Raises:
        ServerMissing: Python cannot make virtual environments here; the text says which package adds that.
        subprocess.CalledProcessError: pip failed, and has said why.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        _learn_to_make_environments()
        print(f"Making the environment in {folder} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    print("Installing the pinned packages …", flush=True)
    quietly = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    # The variable, unlike the option, also pins what pip fetches to build our own package.
    pinned = {**os.environ, "PIP_CONSTRAINT": str(CONSTRAINTS)}
    subprocess.run([*quietly, "setuptools", "--editable", f"{ROOT}[{EXTRAS}]"], check=True, env=pinned)


def frozen() -> str:
    """Return the installed versions, one ``name==version`` a line, without ourselves and without addresses."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "freeze", "--all", "--exclude", "pip"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    pins = re.compile(r"(?!baton-engine)[\w.-]+==[\w.+!-]+")
    return "".join(f"{line}\n" for line in lines if pins.fullmatch(line))


def _learn_to_make_environments() -> None:
    """Install what Debian's Python leaves out of the standard library, if we may."""
    if importlib.util.find_spec("ensurepip") is not None:
        return
    install([f"python{sys.version_info.major}.{sys.version_info.minor}-venv"])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.environment", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=".venv", help="where the environment is made (default: .venv)")
    parser.add_argument("--freeze", action="store_true", help="print the installed versions instead")
    options = parser.parse_args()
    if sys.version_info < OLDEST:
        print(f"Baton needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}.")
        return 1
    if options.freeze:
        print(frozen(), end="")
        return 0
    try:
        make(Path(options.folder))
    except ServerMissing as missing:
        print(missing)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[0]} failed with exit code {error.returncode}; its own words stand above.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
