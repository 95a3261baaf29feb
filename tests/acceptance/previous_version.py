"""An earlier version of Baton, taken from this repository's history, to run beside this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.acceptance.processes import ROOT, Process
from tests.acceptance.stack import Stack

#: The version that runs before this one: a tag once there is a release, until then the first commit whose processes
#: know that newer ones may add to their tables, and that needs no library which is no longer installed.
PREVIOUS = "77ff65c911ccde0b7cc83135d5c4b2cae3516671"

_MAIN = "from engine.cli import main; main()"
_SETTINGS = "from engine.config import Settings, variable_of; print(*map(variable_of, Settings.__struct_fields__))"


class NotInHistory(Exception):
    """The clone does not reach back to the version."""


class PreviousVersion:
    """The code of an earlier version in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        command = ["git", "archive", "--format=zip", PREVIOUS, "engine"]
        archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
        if archive.returncode:
            raise NotInHistory(archive.stderr.decode(errors="replace").strip())
        with zipfile.ZipFile(io.BytesIO(archive.stdout)) as files:
            files.extractall(folder)
        self._settings = set(self._says(_SETTINGS).split())

    def baton(self, stack: Stack, *command: str) -> Process:
        """Start one of the earlier version's processes."""
        # A setting that it does not know would keep it from starting.
        known = {
            name: value
            for name, value in stack.environment.items()
            if name in self._settings or not name.startswith("BATON_")
        }
        variables = {**known, "PYTHONPATH": str(self._folder)}
        return stack.processes.start(f"previous-{command[0]}", [sys.executable, "-c", _MAIN, *command], variables)

    def _says(self, program: str) -> str:
        variables = {**os.environ, "PYTHONPATH": str(self._folder)}
        return subprocess.run(
            [sys.executable, "-c", program], cwd=self._folder, env=variables, capture_output=True, text=True, check=True
        ).stdout
