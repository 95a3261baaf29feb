"""Tasks of runs that may have been done over: those in the flow, and those that an operator has taken out of it."""

from __future__ import annotations

from engine.model.execution import NEVER, Task
from engine.store.port import Rows


def task_of(rows: Rows | None, seq: int) -> Task | None:
    """Return the task with this seq, if it is part of the flow."""
    return None if rows is None else next((task for task in rows.tasks if task.seq == seq), None)


def was_taken_up(rows: Rows) -> bool:
    """True when an operator has had the run, or part of it, done again."""
    workflow = rows.workflow
    return workflow.last_retried_at != NEVER or len(rows.tasks) < workflow.last_seq


def is_taken_up(rows: Rows, before: Rows) -> bool:
    """True when an operator has had the run, or part of it, done again between these two saves."""
    now, then = rows.workflow, before.workflow
    return (now.last_retried_at, now.created_at) != (then.last_retried_at, then.created_at)
