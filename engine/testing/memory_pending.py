"""Open tasks and counts of runs, in a store that keeps everything in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

from engine.model.status import WorkflowStatus
from engine.store.pending_port import OpenTaskKey

if TYPE_CHECKING:
    from engine.testing.memory_tables import Tables


class MemoryPending:
    """The part of a transaction that looks over all runs."""

    _tables: Tables

    def open_tasks(self, name: str, start: int, count: int) -> tuple[OpenTaskKey, ...]:
        """See ``Pending.open_tasks``."""
        tables = self._tables
        found = sorted(
            (task.workflow_id, task.seq)
            for run in tables.workflows.values()
            if run.status.is_open
            for task in tables.tasks[run.id].values()
            if task.status.is_open and name in (task.name, task.type)
        )
        return tuple(found[start : start + count])

    def count_runs(self, names: Collection[str] | None = None) -> dict[WorkflowStatus, int]:
        """See ``Pending.count_runs``."""
        runs = self._tables.workflows.values()
        counted = Counter(run.status for run in runs if names is None or run.name in names)
        return {status: counted[status] for status in WorkflowStatus}
