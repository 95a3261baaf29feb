"""Starts processes that outlive the command which started them, and ends exactly those again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process that leads its own group; ``born`` tells it from a later one that got the same number."""

    name: str
    pid: int
    born: str

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return bool(self.born) and _born(self.pid) == self.born

    def save(self, directory: Path) -> None:
        """Note the process in ``directory`` for whoever will end it."""
        (directory / f"{self.name}.pid").write_text(json.dumps({"pid": self.pid, "born": self.born}))


def start(name: str, command: Sequence[str], environment: Mapping[str, str], directory: Path, *, cwd: Path) -> Process:
    """Start a process away from this terminal; its words go to ``<name>.log`` and its number to ``<name>.pid``."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{name}.log").open("ab") as log:
        started = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,
        )
    process = Process(name, started.pid, _born(started.pid))
    process.save(directory)
    # The object's only further use would be a warning at exit that the process still runs, which is intended.
    started.returncode = 0
    return process


def noted(directory: Path) -> list[Process]:
    """Return the processes that were started with ``directory`` and not ended yet."""
    found = []
    for file in sorted(directory.glob("*.pid")):
        note = json.loads(file.read_text())
        found.append(Process(file.stem, note["pid"], note["born"]))
    return found


def end(processes: Sequence[Process], directory: Path, seconds: float) -> None:
    """End the processes' groups, all at once: politely first, and after ``seconds`` by force."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    _wait(processes, seconds)
    for process in processes:
        _signal(process, signal.SIGKILL)
    _wait(processes, seconds=5)
    for process in processes:
        (directory / f"{process.name}.pid").unlink(missing_ok=True)


def last_words(name: str, directory: Path, lines: int = 15) -> str:
    """Return the end of a process's log."""
    log = directory / f"{name}.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _wait(processes: Sequence[Process], seconds: float) -> None:
    """Return when all processes are gone, or after ``seconds``."""
    deadline = time.monotonic() + seconds
    while any(process.alive() for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)


def _signal(process: Process, number: signal.Signals) -> None:
    if process.alive():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _born(pid: int) -> str:
    """Return when the process was started, in the system's own words, or an empty text when it is gone."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            # The name in parentheses may hold spaces; the state follows it, and the start time 19 fields later.
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if fields[0] == "Z" else fields[19]
    ps = shutil.which("ps") or "/bin/ps"
    done = subprocess.run([ps, "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()
