"""CPU time by process, from the operating system: user and system, of a server and everything it has started."""

from __future__ import annotations

import psutil


def serving(port: int) -> list[int]:
    """Return the ids of the processes that listen on a local TCP port."""
    return sorted(
        {
            found.pid
            for found in psutil.net_connections("tcp")
            if found.pid is not None and found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port
        }
    )


def cpu_seconds(roots: list[int]) -> float:
    """Return the CPU seconds that these processes and their descendants have used, those that have ended included."""
    total = 0.0
    for pid in roots:
        try:
            process = psutil.Process(pid)
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
            for child in process.children(recursive=True):
                used = child.cpu_times()
                total += used.user + used.system
        except psutil.NoSuchProcess:
            continue
    return total


class Meter:
    """What each of the named processes uses between ``start`` and ``stop``, in seconds."""

    def __init__(self, processes: dict[str, list[int]]) -> None:
        self._processes = processes
        self._before: dict[str, float] = {}

    def start(self) -> None:
        """Begin to count."""
        self._before = {name: cpu_seconds(pids) for name, pids in self._processes.items()}

    def stop(self) -> dict[str, float]:
        """Return the seconds used since ``start``, by name."""
        return {name: cpu_seconds(pids) - self._before[name] for name, pids in self._processes.items()}

    def milliseconds_for(self, tasks: int) -> dict[str, float]:
        """Return the milliseconds used since ``start`` for each of so many tasks, by name."""
        return {name: 1_000 * used / tasks for name, used in self.stop().items()}
