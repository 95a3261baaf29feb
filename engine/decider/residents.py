"""Runs that a decider keeps in memory, so that an event costs what it changes; the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict

from engine.decider.execution import Execution


class Resident:
    """A run in memory, with the events whose commands the broker has confirmed to this very process."""

    __slots__ = ("confirmed", "fault", "payload_bytes", "run")

    def __init__(self, run: Execution, fault: Exception | None = None, payload_bytes: int = 0) -> None:
        self.run = run
        #: What its inputs, outputs and variables take as JSON; in memory they take several times that.
        self.payload_bytes = payload_bytes
        self.confirmed: set[str] = set()
        #: Why nothing can be decided about it any more; it will be ended at the next opportunity.
        self.fault = fault


class Residents:
    """Runs by id, bounded in number, in the tasks they hold and in their payloads; dropping one costs only a load."""

    def __init__(self, most_runs: int, most_tasks: int, most_bytes: int) -> None:
        self._most = (most_runs, most_tasks, most_bytes)
        self._runs: OrderedDict[str, Resident] = OrderedDict()
        #: Of each run its tasks and payload bytes as they were counted in.
        self._sizes: dict[str, tuple[int, int]] = {}
        self._tasks = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, workflow_id: str) -> Resident | None:
        """Return the run if it is here, as the most recently used one."""
        resident = self._runs.get(workflow_id)
        if resident is not None:
            self._runs.move_to_end(workflow_id)
        return resident

    def keep(self, resident: Resident, news_bytes: int = 0) -> None:
        """Keep a run, or take note of how it has grown; others may have to go. The newest always stays.

        ``news_bytes`` is the size of what the run has just heard, which is what its payloads grow by.
        """
        identity = resident.run.workflow.id
        resident.payload_bytes += news_bytes
        self._count(identity, len(resident.run.tasks), resident.payload_bytes)
        self._runs[identity] = resident
        self._runs.move_to_end(identity)
        while len(self._runs) > 1 and self._is_too_much():
            self.drop(next(iter(self._runs)))

    def drop(self, workflow_id: str) -> None:
        """Forget a run: it has ended, its partition has gone to somebody else, or its row has moved on."""
        if self._runs.pop(workflow_id, None) is not None:
            self._count(workflow_id, 0, 0)
            del self._sizes[workflow_id]

    def clear(self) -> None:
        """Forget every run."""
        self._runs.clear()
        self._sizes.clear()
        self._tasks = self._bytes = 0

    def _count(self, identity: str, tasks: int, payload_bytes: int) -> None:
        tasks_before, bytes_before = self._sizes.get(identity, (0, 0))
        self._tasks += tasks - tasks_before
        self._bytes += payload_bytes - bytes_before
        self._sizes[identity] = (tasks, payload_bytes)

    def _is_too_much(self) -> bool:
        runs, tasks, payload_bytes = self._most
        return len(self._runs) > runs or self._tasks > tasks or self._bytes > payload_bytes
