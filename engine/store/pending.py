"""Open tasks, found over all runs."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select, text

from engine.model.status import OPEN_TASK
from engine.store.codec import storable
from engine.store.pending_port import OpenTaskKey
from engine.store.schema import OPEN_RUNS, task, workflow


class PendingTasks:
    """The part of a transaction that looks for open tasks."""

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
