"""Processes of a test: started in groups of their own, watched by what they log, and gone at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]

#: Seconds after which what a test waits for counts as never coming; far more than any of it takes.
PATIENCE = 120.0

#: Seconds between two looks.
LOOK = 0.05


def until(what: str, look: Callable[[], _T], seconds: float = PATIENCE) -> _T:
    """Look again and again until there is something, and return it; fail naming ``what`` was waited for."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain until {what}"
        time.sleep(LOOK)
    return found


class Process:
    """One program with its log; its children are in its group."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def log(self) -> str:
        """Return what it has said so far."""
        return self._log.read_text(errors="replace")

    def says(self, words: str, seconds: float = PATIENCE) -> None:
        """Wait until its log has these words."""

        def look() -> bool:
            assert words in self.log() or self._popen.poll() is None, f"{self.name} ended before {words!r}"
            return words in self.log()

        until(f"{self.name} says {words!r}", look, seconds)

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        os.kill(self.pid, number)

    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self._popen.poll() is None

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code."""
        return self._popen.wait(seconds)

    def kill(self) -> None:
        """End it with its children at once, as a machine that loses its power does."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def ask_to_stop(self) -> None:
        """Tell it to stop, if it still runs."""
        if self._popen.poll() is None:
            self.tell(signal.SIGTERM)

    def end(self, seconds: float = 30.0) -> None:
        """Wait for its end after it was asked to stop; in vain, and for its children, by force."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        self.kill()


class Processes:
    """All processes of a test or of several; each name is one log file in ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._started: list[Process] = []

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> Process:
        """Start a program with our variables beside those of the suite; a name used twice gets a number."""
        count = sum(each.name.partition("~")[0] == name for each in self._started)
        process = Process(f"{name}~{count}" if count else name, command, _surroundings(environment), self.folder)
        self._started.append(process)
        return process

    @property
    def started(self) -> tuple[Process, ...]:
        """Everything that was started, in order."""
        return tuple(self._started)

    def run(self, command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and return what it printed."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=_surroundings(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def last_words(self, lines: int = 40) -> dict[str, str]:
        """Return the end of each log."""
        return {each.name: "\n".join(each.log().splitlines()[-lines:]) for each in self._started}

    def end(self) -> None:
        """End all that still run."""
        for process in reversed(self._started):
            process.ask_to_stop()
        for process in reversed(self._started):
            process.end()


def _surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return our variables beside those of the suite, but for the suite's own settings of Baton."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("BATON_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
