"""Finding tasks: those of known runs by their key, others by a look at the tasks of the newest runs first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select

from engine.clock import Instant
from engine.model.execution import Task, Workflow
from engine.search.condition import Condition
from engine.search.order import Order
from engine.search.subject import apart
from engine.store.codec import storable
from engine.store.outside import listed
from engine.store.records import TASK, WORKFLOW
from engine.store.schema import task, workflow
from engine.store.search_plan import Plan
from engine.store.search_port import MOST_COUNTED, FoundTasks, Query
from engine.store.search_source import window
from engine.store.search_sql import condition_sql
from engine.store.searching import Searches

_TASK: Final = tuple(task.c[name] for name in TASK.names)
_RUN: Final = tuple(workflow.c[name] for name in WORKFLOW.small_names)

#: Tasks that are asked for in one statement: alternatives are nested, and databases limit how deep.
_AT_ONCE: Final = 200


class TaskSearches(Searches):
    """The part of a transaction that people search runs and tasks with."""

    def search_tasks(self, query: Query) -> FoundTasks:
        """See ``Searching.search_tasks``."""
        of_runs, of_tasks = apart(query.condition)
        plan = self._plan(of_runs)
        if plan.empty:
            return FoundTasks(total=0)
        return self._of_known_runs(plan, of_tasks, query) if plan.pinned else self._of_runs(plan, of_tasks, query)

    def _of_runs(self, plan: Plan, of_tasks: Condition, query: Query) -> FoundTasks:
        look = self._look(plan, query, lambda low, high: self._task_keys(plan, of_tasks, query.order, low, high))
        tasks = self._tasks_at(list(map(itemgetter(0, 1), look.page(query))))
        return FoundTasks(
            total=len(look.keys),
            at_least=look.at_least,
            back_to=look.back_to,
            tasks=tasks,
            runs=self._runs_of(tasks),
        )

    def task_page(self, workflow_id: str, statuses: Collection[str], start: int, size: int) -> tuple[int, list[Task]]:
        """See ``Searching.task_page``."""
        conditions = [task.c.workflow_id == storable(workflow_id)]
        if statuses:
            conditions.append(task.c.status.in_(sorted(statuses)))
        total = self._connection.scalar(select(func.count()).select_from(task).where(*conditions)) or 0
        page = select(*_TASK).where(*conditions).order_by(task.c.seq).limit(size).offset(start)
        return total, list(self._tasks(page))

    def tasks_by_seq(self, workflow_id: str, seqs: Collection[int]) -> list[Task]:
        """See ``Searching.tasks_by_seq``."""
        some = select(*_TASK).where(task.c.workflow_id == storable(workflow_id), task.c.seq.in_(sorted(seqs)))
        rows = self._connection.execute(some.order_by(task.c.seq)).all() if seqs else []
        return [self._outside.had_aside(each) for each in TASK.read(rows, TASK.names)]

    def _of_known_runs(self, plan: Plan, of_tasks: Condition, query: Query) -> FoundTasks:
        conditions = [*window(plan, None, plan.high, self._dialect), condition_sql(of_tasks, self._dialect)]
        some = select(task.c.seq).join(workflow, workflow.c.id == task.c.workflow_id).where(*conditions)
        counted = select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())
        total = self._connection.scalar(counted) or 0
        page = _joined().where(*conditions).order_by(*self._task_order(query.order))
        tasks = self._tasks(page.limit(query.size).offset(query.start))
        at_least = total > MOST_COUNTED
        shown = max(MOST_COUNTED, query.start + len(tasks) + 1) if at_least else total
        return FoundTasks(total=shown, at_least=at_least, tasks=tasks, runs=self._runs_of(tasks))

    def _task_keys(
        self, plan: Plan, of_tasks: Condition, order: Sequence[Order], low: Instant | None, high: int | None
    ) -> Sequence[Row[Any]]:
        matching = select(task.c.workflow_id, task.c.seq, *self._sorted_by(order))
        matching = matching.join(workflow, workflow.c.id == task.c.workflow_id)
        matching = matching.where(*window(plan, low, high, self._dialect), condition_sql(of_tasks, self._dialect))
        return self._connection.execute(matching.order_by(*self._task_order(()))).all()

    def _tasks_at(self, keys: Sequence[tuple[str, int]]) -> tuple[Task, ...]:
        found: dict[tuple[str, int], Task] = {}
        for begin in range(0, len(keys), _AT_ONCE):
            some = keys[begin : begin + _AT_ONCE]
            either = or_(*(and_(task.c.workflow_id == run, task.c.seq == seq) for run, seq in some))
            found |= {(each.workflow_id, each.seq): each for each in self._tasks(select(*_TASK).where(either))}
        return tuple(found[key] for key in keys if key in found)

    def _task_order(self, order: Sequence[Order]) -> list[ColumnElement[Any]]:
        columns = zip(self._sorted_by(order), order, strict=True)
        ordered = [column.desc() if each.descending else column for column, each in columns]
        return [*ordered, workflow.c.created_at.desc(), workflow.c.id.desc(), task.c.seq.desc()]

    def _tasks(self, query: Select[Any]) -> tuple[Task, ...]:
        return tuple(listed(each) for each in TASK.read(self._connection.execute(query).all(), TASK.names))

    def _runs_of(self, tasks: Sequence[Task]) -> dict[str, Workflow]:
        ids = {each.workflow_id for each in tasks}
        if not ids:
            return {}
        rows = self._connection.execute(select(*_RUN).where(self._batch.among(workflow.c.id, ids))).all()
        return {each.id: each for each in WORKFLOW.read(rows, WORKFLOW.small_names)}


def _joined() -> Select[Any]:
    return select(*_TASK).join(workflow, workflow.c.id == task.c.workflow_id)
