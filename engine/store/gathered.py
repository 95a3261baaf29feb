"""Puts into tasks that were read what their rows leave to other rows: what open loops have gathered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from engine.decider.gathering import lacks_parts, with_parts
from engine.model.execution import Task

if TYPE_CHECKING:
    from engine.store.port import Rows, Transaction
    from engine.store.search_port import FoundTasks, Query


class WholeLoops:
    """The part of a transaction that hands out tasks with their payloads: it stands before those who read the rows."""

    def load(self, workflow_ids: Collection[str], *, payloads: bool = True) -> dict[str, Rows]:
        """See ``Transaction.load``."""
        found: dict[str, Rows] = super().load(workflow_ids, payloads=payloads)  # type: ignore[misc]
        return _whole_runs(self._transaction, found) if payloads else found

    def search_tasks(self, query: Query) -> FoundTasks:
        """See ``Searching.search_tasks``."""
        found: FoundTasks = super().search_tasks(query)  # type: ignore[misc]
        return replace(found, tasks=tuple(_whole_tasks(self._transaction, found.tasks)))

    def task_page(self, workflow_id: str, statuses: Collection[str], start: int, size: int) -> tuple[int, list[Task]]:
        """See ``Searching.task_page``."""
        total, page = super().task_page(workflow_id, statuses, start, size)  # type: ignore[misc]
        return total, _whole_tasks(self._transaction, page)

    def tasks_by_seq(self, workflow_id: str, seqs: Collection[int], *, whole: bool = True) -> list[Task]:
        """See ``Searching.tasks_by_seq``."""
        found: list[Task] = super().tasks_by_seq(workflow_id, seqs)  # type: ignore[misc]
        return _whole_tasks(self._transaction, found) if whole else found

    @property
    def _transaction(self) -> Transaction:
        return cast("Transaction", self)


def _whole_runs(transaction: Transaction, found: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return runs, all of whose tasks were read, with their loops as they are."""
    lacking = [rows for rows in found.values() if any(map(lacks_parts, rows.tasks))]
    snapshots = transaction.snapshots({rows.workflow.definition_hash for rows in lacking}) if lacking else {}
    whole = dict(found)
    for rows in lacking:
        if definition := snapshots.get(rows.workflow.definition_hash):
            whole[rows.workflow.id] = replace(rows, tasks=with_parts(rows.workflow, rows.tasks, definition))
    return whole


def _whole_tasks(transaction: Transaction, tasks: Sequence[Task]) -> list[Task]:
    """Return tasks of any runs with the loops among them as they are; for those the rows of their runs are read."""
    lacking = {task.workflow_id for task in tasks if lacks_parts(task)}
    if not lacking:
        return list(tasks)
    runs = transaction.load(lacking)
    known = {(run, task.seq): task for run, rows in runs.items() for task in rows.tasks}
    return [known.get((task.workflow_id, task.seq), task) if lacks_parts(task) else task for task in tasks]
