"""Finding runs and tasks in memory: every record is tried."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from engine.model.execution import Task, Workflow
from engine.search.condition import Condition, Field, Kind
from engine.search.order import is_oldest_first
from engine.search.predicate import Values, holds, in_order
from engine.store.codec import encode
from engine.store.port import WorkflowQuery
from engine.store.search_port import FoundRuns, FoundTasks, Query
from engine.tasks import task_type

if TYPE_CHECKING:
    from engine.testing.memory_tables import Tables

#: Stands for data that a definition hides: it is there, and nothing can be found in it.
_HIDDEN = "\0"


class MemorySearch:
    """Searches the tables of a ``MemoryStore``."""

    _tables: Tables

    def find(self, query: WorkflowQuery) -> tuple[int, tuple[Workflow, ...]]:
        """See ``Transaction.find``."""
        found = self.search_runs(query.search())
        return found.total, tuple(found.runs.values())

    def search_runs(self, query: Query) -> FoundRuns:
        """See ``Searching.search_runs``."""
        found = list(self._runs(query.condition))
        if is_oldest_first(query.order):
            found.reverse()
        in_order(found, query.order, self._of_run)
        page = found[query.start : query.start + query.size]
        return FoundRuns(total=len(found), runs={each.id: each for each in page})

    def search_tasks(self, query: Query) -> FoundTasks:
        """See ``Searching.search_tasks``."""
        found = [
            task
            for run in self._newest_first()
            for task in sorted(self._tables.tasks[run.id].values(), key=lambda each: -each.seq)
            if holds(query.condition, self._of_task(task))
        ]
        in_order(found, query.order, self._of_task)
        page = tuple(found[query.start : query.start + query.size])
        runs = {each.workflow_id: self._tables.workflows[each.workflow_id] for each in page}
        return FoundTasks(total=len(found), tasks=page, runs=runs)

    def run_ids(self, condition: Condition, limit: int) -> tuple[str, ...]:
        """See ``Searching.run_ids``."""
        return tuple(each.id for each in self._runs(condition))[:limit]

    def run(self, workflow_id: str) -> Workflow | None:
        """See ``Searching.run``."""
        return self._tables.workflows.get(workflow_id)

    def last_run_by_key(self, name: str, key: str) -> Workflow | None:
        """See ``Searching.last_run_by_key``."""
        return next((each for each in self._newest_first() if (each.name, each.idempotency_key) == (name, key)), None)

    def task_page(self, workflow_id: str, statuses: Collection[str], start: int, size: int) -> tuple[int, list[Task]]:
        """See ``Searching.task_page``."""
        every = self._in_order_of_seq(workflow_id)
        found = [task for task in every if not statuses or task.status in statuses]
        return len(found), found[start : start + size]

    def tasks_by_seq(self, workflow_id: str, seqs: Collection[int]) -> list[Task]:
        """See ``Searching.tasks_by_seq``."""
        return [task for task in self._in_order_of_seq(workflow_id) if task.seq in seqs]

    def _in_order_of_seq(self, workflow_id: str) -> list[Task]:
        return [task for _, task in sorted(self._tables.tasks.get(workflow_id, {}).items())]

    def _newest_first(self) -> list[Workflow]:
        return sorted(self._tables.workflows.values(), key=lambda each: (each.created_at, each.id), reverse=True)

    def _runs(self, condition: Condition) -> Iterator[Workflow]:
        for run in self._newest_first():
            tasks = self._tables.tasks[run.id]
            if holds(condition, self._of_run(run), lambda: [self._of_task(task) for task in tasks.values()]):  # noqa: B023
                yield run

    def _of_run(self, run: Workflow) -> Values:
        def value(field: Field) -> Any:
            name = field.key.partition(".")[2]
            if name == "ended_at":
                return 0 if run.status.is_open else run.ended_at
            if name == "took":
                return 0 if run.status.is_open or not run.ended_at else run.ended_at - run.created_at
            return self._shown(run, field, getattr(run, name))

        return value

    def _of_task(self, task: Task) -> Values:
        run = self._tables.workflows[task.workflow_id]

        def value(field: Field) -> Any:
            table, _, name = field.key.partition(".")
            if table == "run":
                return self._of_run(run)(field)
            match name:
                case "shown_type":
                    return task_type(task.type).shown_type(task)
                case "took":
                    return task.ended_at - task.started_at if task.ended_at and task.started_at else 0
                case "waited":
                    since = max(task.scheduled_at, task.visible_at)
                    return max(0, task.started_at - since) if task.started_at and task.scheduled_at else 0
            return self._shown(run, field, getattr(task, name))

        return value

    def _shown(self, run: Workflow, field: Field, value: Any) -> Any:
        if field.kind is not Kind.PAYLOAD or not value:
            return None if field.kind is Kind.PAYLOAD else value
        definition = self._tables.snapshots.get(run.definition_hash)
        return _HIDDEN if definition is not None and definition.masked_fields else encode(value)
