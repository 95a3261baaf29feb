"""Every kind of process of Baton at work, each of which may be killed and is then started again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.acceptance.processes import ROOT, Process
from tests.acceptance.stack import Stack
from tests.chaos.workload import HUNGRY, QUEUES, SILENCE

#: What runs, by the name under which it is disturbed.
ROLES = (
    "decider one",
    "decider two",
    "starter",
    "timekeeper",
    "server",
    "worker",
    "plain worker",
    "script worker",
    "http worker",
)


class Troupe:
    """The processes by role."""

    def __init__(self, folder: Path, database_url: str, broker_url: str) -> None:
        self.executions = folder / "executions"
        self.executions.touch()
        self._starved = folder / "starved"
        self._starved.touch()
        self.stack = Stack(
            folder,
            database_url,
            broker_url,
            # As in production, so that what is measured holds there.
            pauses={},
            BATON_UNHEARD_TIMEOUT_SECONDS=str(SILENCE),
            CHAOS_EXECUTIONS=str(self.executions),
            CHAOS_STARVED=str(self._starved),
        )
        connected = ("-P", "prefork", "-c", "3", "-Q", ",".join((*QUEUES, HUNGRY)))
        plain = ("-P", "threads", "-c", "3", "-Q", ",".join(QUEUES))
        self._ways: dict[str, Callable[[], Process]] = {
            "decider one": lambda: self.stack.baton("decider"),
            "decider two": lambda: self.stack.baton("decider"),
            "starter": lambda: self.stack.baton("starter"),
            "timekeeper": lambda: self.stack.baton("timekeeper"),
            "server": lambda: self.stack.baton("server"),
            "worker": lambda: self._celery("worker-connected", *connected, CHAOS_CONNECTED="yes"),
            "plain worker": lambda: self._celery("worker-plain", *plain),
            "script worker": lambda: self.stack.baton("worker", "script", "-c", "1"),
            "http worker": lambda: self.stack.baton("worker", "http", "-c", "2"),
        }
        self._returning: list[threading.Timer] = []
        self._by_role: dict[str, Process] = {}

    def start(self) -> None:
        """Start everybody and wait until all take work."""
        for role in ROLES:
            self._start(role)
        self.stack.ready(*(self._by_role[role] for role in ROLES if role != "server"))
        self.stack.healthy()

    def kill(self, role: str, absent: float) -> None:
        """Kill one process with its children; it is started again after some seconds, as a supervisor does."""
        self._by_role[role].kill()
        back = threading.Timer(absent, self._start, [role])
        self._returning.append(back)
        back.start()

    def all_back(self) -> None:
        """Wait until everybody who was killed has been started again."""
        while self._returning:
            self._returning.pop().join()

    def starved(self) -> list[float]:
        """Return the moments (``time.monotonic``) at which processes of workers died for lack of memory."""
        return [float(line) for line in self._starved.read_text().splitlines()]

    def tell(self, role: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        head = psutil.Process(self._by_role[role].pid)
        for each in (head, *head.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def ended(self) -> list[str]:
        """Return who has ended without having been told to; each is started again."""
        self.all_back()
        roles = [role for role in ROLES if not self._by_role[role].alive()]
        for role in roles:
            self._start(role)
        return roles

    def close(self) -> None:
        """End everybody."""
        self.all_back()
        self.stack.close()

    def _start(self, role: str) -> None:
        self._by_role[role] = self._ways[role]()

    def _celery(self, name: str, *options: str, **variables: str) -> Process:
        return self.stack.celery("tests.chaos.worker", name, *options, PYTHONPATH=str(ROOT), **variables)
