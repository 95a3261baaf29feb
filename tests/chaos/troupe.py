"""Every kind of process of Baton at work, each of which may be killed and is then started again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.acceptance.processes import ROOT, Process
from tests.acceptance.stack import Stack
from tests.chaos.workload import QUEUES, SILENCE

#: What runs, by the name under which it is disturbed.
ROLES = ("decider one", "decider two", "starter", "timekeeper", "server", "worker", "plain worker", "script worker")


class Troupe:
    """The processes by role."""

    def __init__(self, folder: Path, database_url: str, broker_url: str) -> None:
        self.executions = folder / "executions"
        self.executions.touch()
        self.stack = Stack(
            folder,
            database_url,
            broker_url,
            BATON_UNHEARD_TIMEOUT_SECONDS=str(SILENCE),
            CHAOS_EXECUTIONS=str(self.executions),
        )
        self._ways: dict[str, Callable[[], Process]] = {
            "decider one": lambda: self.stack.baton("decider"),
            "decider two": lambda: self.stack.baton("decider"),
            "starter": lambda: self.stack.baton("starter"),
            "timekeeper": lambda: self.stack.baton("timekeeper"),
            "server": lambda: self.stack.baton("server"),
            "worker": lambda: self._celery("worker-connected", "-P", "prefork", "-c", "3", CHAOS_CONNECTED="yes"),
            "plain worker": lambda: self._celery("worker-plain", "-P", "threads", "-c", "3"),
            "script worker": lambda: self.stack.baton("worker", "script", "-c", "1"),
        }
        self._by_role: dict[str, Process] = {}

    def start(self) -> None:
        """Start everybody and wait until all take work."""
        for role in ROLES:
            self._by_role[role] = self._ways[role]()
        self.stack.ready(*(self._by_role[role] for role in ROLES if role != "server"))
        self.stack.healthy()

    def kill(self, role: str, absent: float) -> None:
        """Kill one process with its children; start it again after some seconds, as a supervisor does."""
        self._by_role[role].kill()
        time.sleep(absent)
        self._by_role[role] = self._ways[role]()

    def kill_child(self, role: str) -> bool:
        """Kill one child of a worker, as the kernel does when memory runs out; tell whether there was one."""
        children = psutil.Process(self._by_role[role].pid).children()
        for child in children[:1]:
            child.kill()
        return bool(children)

    def tell(self, role: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        head = psutil.Process(self._by_role[role].pid)
        for each in (head, *head.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def ended(self) -> list[str]:
        """Return who has ended without having been told to; each is started again."""
        roles = [role for role in ROLES if not self._by_role[role].alive()]
        for role in roles:
            self._by_role[role] = self._ways[role]()
        return roles

    def close(self) -> None:
        """End everybody."""
        self.stack.close()

    def _celery(self, name: str, *options: str, **variables: str) -> Process:
        return self.stack.celery(
            "tests.chaos.worker", name, "-Q", ",".join(QUEUES), *options, PYTHONPATH=str(ROOT), **variables
        )
