"""What goes on across runs: which are open, what stands in queues, how many there are."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, select, text

from engine.clock import Instant
from engine.model.payload import JsonObject
from engine.model.status import OPEN_TASK, OPEN_WORKFLOW, TaskStatus, WorkflowStatus
from engine.store.codec import storable
from engine.store.history_tables import removed_run
from engine.store.schema import OPEN_RUNS, task, workflow

#: How runs end that may have a failure workflow.
_FAILED = frozenset(WorkflowStatus) - OPEN_WORKFLOW - {WorkflowStatus.COMPLETED}


class Survey:
    """The part of a transaction that looks across runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open_workflow_ids(self, after: str, limit: int) -> tuple[str, ...]:
        """See ``Transaction.open_workflow_ids``."""
        ids = workflow.c.id
        query = select(ids).where(text(OPEN_RUNS), ids > after).order_by(ids).limit(limit)
        # Its guess would be the primary key, in which runs that ended long ago stand between the open ones.
        query = query.with_hint(workflow, "FORCE INDEX (workflow_open)", "mysql")
        return tuple(self._connection.scalars(query))

    def unstarted_failure_workflows(self, after: str, limit: int) -> tuple[str, ...]:
        """See ``Transaction.unstarted_failure_workflows``."""
        runs, started = workflow.c, workflow.alias("started").c
        absent = ~select(started.id).where(started.id == runs.failure_workflow_id).exists()
        absent &= ~select(removed_run.c.id).where(removed_run.c.id == runs.failure_workflow_id).exists()
        failed = runs.status.in_(sorted(_FAILED))
        query = select(runs.id).where(failed, runs.failure_workflow_id.is_not(None), absent, runs.id > after)
        return tuple(self._connection.scalars(query.order_by(runs.id).limit(limit)))

    def scheduled_tasks(self, before: Instant) -> dict[str, int]:
        """See ``Transaction.scheduled_tasks``."""
        waiting = select(task.c.queue, func.count()).join(workflow, workflow.c.id == task.c.workflow_id)
        waiting = waiting.where(text(f"workflow.{OPEN_RUNS}"), *_scheduled(before)).group_by(task.c.queue)
        return dict(self._connection.execute(waiting).all())

    def runs_scheduled_in(self, queue: str, before: Instant, after: str, limit: int) -> tuple[str, ...]:
        """See ``Transaction.runs_scheduled_in``."""
        runs = select(workflow.c.id).join(task, workflow.c.id == task.c.workflow_id).distinct()
        runs = runs.where(text(f"workflow.{OPEN_RUNS}"), *_scheduled(before), task.c.queue == storable(queue))
        return tuple(self._connection.scalars(runs.where(workflow.c.id > after).order_by(workflow.c.id).limit(limit)))

    def statistics(self) -> JsonObject:
        """See ``Transaction.statistics``; tasks are those of open runs, as ``{queue: {status: count}}``."""
        counted = select(workflow.c.status, func.count()).group_by(workflow.c.status)
        runs: dict[str, int] = dict(self._connection.execute(counted).all())
        open_runs = select(workflow.c.id).where(text(OPEN_RUNS)).subquery()
        waiting = (
            select(task.c.queue, task.c.status, func.count())
            .join(open_runs, open_runs.c.id == task.c.workflow_id)
            .where(task.c.queue != "", task.c.status.in_(sorted(OPEN_TASK)))
            .group_by(task.c.queue, task.c.status)
        )
        tasks: dict[str, dict[str, int]] = {}
        for queue, status, count in self._connection.execute(waiting):
            tasks.setdefault(queue, {})[status] = count
        return {"workflows": runs, "tasks": tasks}


def _scheduled(before: Instant) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on tasks that were published before then and not heard of since."""
    columns = task.c
    waited_again = columns.visible_at + 2 * (columns.visible_at - columns.scheduled_at)
    return (
        columns.status == TaskStatus.SCHEDULED,
        columns.dispatched,
        columns.queue != "",
        waited_again <= before,
    )
