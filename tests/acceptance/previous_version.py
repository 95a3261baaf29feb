"""An earlier version of Baton, taken from this repository's history, to run beside this one."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.acceptance.processes import ROOT, Process
from tests.acceptance.stack import Stack

#: The version that runs before this one: a tag once there is a release, until then the first commit whose processes
#: know that newer ones may add to their tables.
PREVIOUS = "a2f07481357e26d877a48a8bcbc2ddd80b13f406"

_MAIN = "import sys; from engine.cli import main; main()"


class NotInHistory(Exception):
    """The clone does not reach back to the version."""


class PreviousVersion:
    """The code of an earlier version in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        archive = subprocess.run(
            ["git", "archive", PREVIOUS, "engine"], cwd=ROOT, capture_output=True, check=False, timeout=60
        )
        if archive.returncode:
            raise NotInHistory(archive.stderr.decode(errors="replace").strip())
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")

    def baton(self, stack: Stack, *command: str) -> Process:
        """Start one of the earlier version's processes."""
        variables = {**stack.environment, "PYTHONPATH": str(self._folder)}
        return stack.processes.start(f"previous-{command[0]}", [sys.executable, "-c", _MAIN, *command], variables)
