"""Schedules: as written, how far they have come, and what became of their dates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from msgspec.structs import asdict
from sqlalchemy import Connection, Row, delete, func, select, update

from engine.clock import Instant
from engine.model.execution import NEVER
from engine.model.schedule import ExecutionState, Progress, ScheduleExecution
from engine.model.status import WorkflowStatus
from engine.store.batch import Batch
from engine.store.codec import decode, encode, storable
from engine.store.schedule_port import ExecutionQuery, ScheduleRow
from engine.store.schedule_tables import schedule, schedule_execution
from engine.store.schema import workflow
from engine.store.search_sql import condition_sql, order_sql

_PROGRESS: Final = Progress.__struct_fields__
_done = schedule_execution.c


class Schedules:
    """The part of a transaction that keeps schedules."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def put_schedule(self, row: ScheduleRow) -> None:
        """See ``Transaction.put_schedule``."""
        changing = ("body", *_PROGRESS)
        put = self._batch.put(schedule, lambda given: {name: given[name] for name in changing})
        body = {"name": storable(row.name), "body": encode(row.document)}
        self._connection.execute(put, {**body, **asdict(row.progress)})

    def put_progress(self, name: str, progress: Progress) -> None:
        """See ``Transaction.put_progress``."""
        known = schedule.c.name == storable(name)
        self._connection.execute(update(schedule).where(known).values(**asdict(progress)))

    def schedule(self, name: str) -> ScheduleRow | None:
        """See ``Transaction.schedule``."""
        found = self._connection.execute(select(schedule).where(schedule.c.name == storable(name)).with_for_update())
        return next(map(_row, found), None)

    def schedules(self) -> tuple[ScheduleRow, ...]:
        """See ``Transaction.schedules``."""
        return tuple(sorted(map(_row, self._connection.execute(select(schedule))), key=lambda row: row.name))

    def drop_schedule(self, name: str) -> bool:
        """See ``Transaction.drop_schedule``."""
        gone = self._connection.execute(delete(schedule).where(schedule.c.name == storable(name))).rowcount > 0
        self._connection.execute(delete(schedule_execution).where(_done.schedule == storable(name)))
        return gone

    def due_schedules(self, now: Instant, limit: int) -> tuple[ScheduleRow, ...]:
        """See ``Transaction.due_schedules``."""
        date = schedule.c.wake_at
        due = select(schedule).where(date > NEVER, date <= now).order_by(date).limit(limit)
        return tuple(map(_row, self._connection.execute(due.with_for_update(skip_locked=True))))

    def next_schedule(self) -> Instant | None:
        """See ``Transaction.next_schedule``."""
        date = schedule.c.wake_at
        return self._connection.scalar(select(date).where(date > NEVER).order_by(date).limit(1))

    def put_executions(self, executions: Sequence[ScheduleExecution]) -> None:
        """See ``Transaction.put_executions``."""
        if not executions:
            return
        put = self._batch.put(
            schedule_execution, lambda given: {name: given[name] for name in ("state", "reason", "sent_at")}
        )
        # In one order everywhere: two that meet in the same rows then wait for each other.
        self._connection.execute(put, sorted(map(_line, executions), key=lambda line: str(line["id"])))

    def unseen_executions(self, limit: int) -> tuple[ScheduleExecution, ...]:
        """See ``Transaction.unseen_executions``."""
        unseen = select(schedule_execution).where(_done.state == ExecutionState.POLLED.value)
        unseen = unseen.order_by(_done.sent_at).limit(limit).with_for_update(skip_locked=True)
        return tuple(map(_execution, self._connection.execute(unseen)))

    def executions(self, query: ExecutionQuery) -> tuple[int, tuple[ScheduleExecution, ...]]:
        """See ``Transaction.executions``."""
        dialect = self._connection.dialect.name
        condition = condition_sql(query.condition, dialect)
        total = self._connection.scalar(select(func.count()).select_from(schedule_execution).where(condition)) or 0
        columns = ((order_sql(each.field, dialect), each.descending) for each in query.order)
        order = [column.desc() if descending else column for column, descending in columns]
        page = select(schedule_execution).where(condition).order_by(*order, _done.at.desc(), _done.id.desc())
        page = page.limit(query.size).offset(query.start)
        return total, tuple(map(_execution, self._connection.execute(page)))

    def trim_executions(self, schedule: str, keep: int) -> None:
        """See ``Transaction.trim_executions``."""
        own = _done.schedule == storable(schedule)
        oldest = self._connection.scalar(select(_done.at).where(own).order_by(_done.at.desc()).offset(keep).limit(1))
        if oldest is not None:
            seen = _done.state != ExecutionState.POLLED.value
            self._connection.execute(delete(schedule_execution).where(own, seen, _done.at <= oldest))

    def run_statuses(self, workflow_ids: Collection[str]) -> dict[str, WorkflowStatus]:
        """See ``Transaction.run_statuses``."""
        if not workflow_ids:
            return {}
        known = select(workflow.c.id, workflow.c.status).where(self._batch.among(workflow.c.id, workflow_ids))
        return {key: WorkflowStatus(status) for key, status in self._connection.execute(known)}


def _row(found: Row[Any]) -> ScheduleRow:
    columns: Any = found._mapping
    progress = Progress(**{name: columns[name] for name in _PROGRESS})
    return ScheduleRow(columns["name"], decode(columns["body"]), progress)


def _line(execution: ScheduleExecution) -> dict[str, object]:
    line = asdict(execution)
    texts = {name: storable(str(value)) for name, value in line.items() if isinstance(value, str)}
    return {**line, **texts, "request": encode(execution.request)}


def _execution(found: Row[Any]) -> ScheduleExecution:
    columns = dict(found._mapping)
    columns["request"] = decode(columns["request"]) if columns["request"] is not None else {}
    columns["state"] = ExecutionState(columns["state"])
    return ScheduleExecution(**columns)
