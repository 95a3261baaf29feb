"""Starts a process anew whenever it has died, as systemd and Kubernetes do."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance.processes import PATIENCE, Process, until


class Supervisor:
    """Keeps one process alive for as long as something is waited for."""

    def __init__(self, start: Callable[[], Process]) -> None:
        self._start = start
        self.process = start()
        #: How the processes before this one have ended.
        self.exit_codes: list[int] = []

    def until(self, what: str, look: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until there is what is looked for; the process is started anew meanwhile."""

        def look_after() -> bool:
            if not self.process.alive():
                self.exit_codes.append(self.process.wait(0))
                self.process = self._start()
            return look()

        until(what, look_after, seconds)
