"""Runs that a decider keeps in memory, so that an event costs what it changes; the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict

from engine.decider.execution import Execution


class Resident:
    """A run in memory, with the events whose commands the broker has confirmed to this very process."""

    __slots__ = ("confirmed", "fault", "run")

    def __init__(self, run: Execution, fault: Exception | None = None) -> None:
        self.run = run
        self.confirmed: set[str] = set()
        #: Why nothing can be decided about it any more; it will be ended at the next opportunity.
        self.fault = fault


class Residents:
    """Runs by id, bounded in number and in the tasks they hold; dropping one costs only a load."""

    def __init__(self, most_runs: int, most_tasks: int) -> None:
        self._most_runs = most_runs
        self._most_tasks = most_tasks
        self._runs: OrderedDict[str, Resident] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._tasks = 0

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, workflow_id: str) -> Resident | None:
        """Return the run if it is here, as the most recently used one."""
        resident = self._runs.get(workflow_id)
        if resident is not None:
            self._runs.move_to_end(workflow_id)
        return resident

    def keep(self, resident: Resident) -> None:
        """Keep a run, or take note of how it has grown; others may have to go. The newest always stays."""
        identity = resident.run.workflow.id
        size = len(resident.run.tasks)
        self._tasks += size - self._sizes.get(identity, 0)
        self._sizes[identity] = size
        self._runs[identity] = resident
        self._runs.move_to_end(identity)
        while len(self._runs) > 1 and (len(self._runs) > self._most_runs or self._tasks > self._most_tasks):
            self.drop(next(iter(self._runs)))

    def drop(self, workflow_id: str) -> None:
        """Forget a run: it has ended, its partition has gone to somebody else, or its row has moved on."""
        if self._runs.pop(workflow_id, None) is not None:
            self._tasks -= self._sizes.pop(workflow_id)

    def clear(self) -> None:
        """Forget every run."""
        self._runs.clear()
        self._sizes.clear()
        self._tasks = 0
