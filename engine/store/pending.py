"""Open tasks, found over all runs, and how many runs stand how."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, or_, select, text

from engine.model.status import OPEN_TASK, WorkflowStatus
from engine.store.codec import storable
from engine.store.pending_port import OpenTaskKey
from engine.store.schema import OPEN_RUNS, task, workflow


class PendingTasks:
    """The part of a transaction that looks over all runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open_tasks(self, name: str, start: int, count: int) -> tuple[OpenTaskKey, ...]:
        """See ``Pending.open_tasks``."""
        # From the index of open runs to their tasks: what has ended, which is nearly everything, is not looked at.
        open_runs = select(workflow.c.id).where(text(OPEN_RUNS)).subquery()
        wanted = or_(task.c.name == storable(name), task.c.type == storable(name))
        query = (
            select(task.c.workflow_id, task.c.seq)
            .join(open_runs, open_runs.c.id == task.c.workflow_id)
            .where(task.c.status.in_(sorted(OPEN_TASK)), wanted)
            .order_by(task.c.workflow_id, task.c.seq)
            .limit(count)
            .offset(start)
        )
        return tuple((run, seq) for run, seq in self._connection.execute(query))

    def count_runs(self, names: Collection[str] | None = None) -> dict[WorkflowStatus, int]:
        """See ``Pending.count_runs``."""
        query = select(workflow.c.status, func.count()).group_by(workflow.c.status)
        if names is not None:
            query = query.where(workflow.c.name.in_(sorted(storable(name) for name in names)))
        counted: dict[str, int] = dict(self._connection.execute(query).all())
        return {status: counted.get(status.value, 0) for status in WorkflowStatus}
