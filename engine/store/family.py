"""How runs hang together: the way down from a run to a task of one that it has started."""

from __future__ import annotations

from engine.model.execution import Task, split_task_id
from engine.store.port import Transaction

#: Levels that are looked through; runs are not nested deeper than ``BATON_MAX_DEPTH`` anyway.
_MOST_LEVELS = 1_000


def way_to(transaction: Transaction, workflow_id: str, task_id: str) -> tuple[str, ...]:
    """Return the ids of the tasks that lead from a run to a task below it, that task last; empty when none do.

    Every task on the way must still be part of its run's flow, and every run must be the child that its parent's task
    has now.
    """
    way: tuple[str, ...] = ()
    wanted, child = task_id, None
    for _ in range(_MOST_LEVELS):
        parts = split_task_id(wanted)
        rows = None if parts is None else transaction.load([parts[0]], payloads=False).get(parts[0])
        if parts is None or rows is None:
            return ()
        if not any(task.seq == parts[1] and (child is None or _waits_for(task, child)) for task in rows.tasks):
            return ()
        way, child, above = (wanted, *way), parts[0], rows.workflow.parent_task_id
        if child == workflow_id:
            return way
        if above is None:
            return ()
        wanted = above
    return ()


def _waits_for(task: Task, child: str) -> bool:
    return task.child_id == child and not task.retried
