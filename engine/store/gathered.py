"""Puts into tasks that were read what their rows leave to other rows: what open loops have gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.decider.gathering import lacks_parts, with_parts
from engine.model.execution import Task

if TYPE_CHECKING:
    from engine.store.port import Rows, Transaction


def whole_runs(transaction: Transaction, found: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return runs, all of whose tasks were read, with their loops as they are."""
    lacking = [rows for rows in found.values() if any(map(lacks_parts, rows.tasks))]
    snapshots = transaction.snapshots({rows.workflow.definition_hash for rows in lacking}) if lacking else {}
    whole = dict(found)
    for rows in lacking:
        if definition := snapshots.get(rows.workflow.definition_hash):
            whole[rows.workflow.id] = replace(rows, tasks=with_parts(rows.workflow, rows.tasks, definition))
    return whole


def whole_tasks(transaction: Transaction, tasks: Sequence[Task]) -> list[Task]:
    """Return tasks of any runs with the loops among them as they are; for those the rows of their runs are read."""
    lacking = {task.workflow_id for task in tasks if lacks_parts(task)}
    if not lacking:
        return list(tasks)
    runs = transaction.load(lacking)
    known = {(run, task.seq): task for run, rows in runs.items() for task in rows.tasks}
    return [known.get((task.workflow_id, task.seq), task) if lacks_parts(task) else task for task in tasks]
