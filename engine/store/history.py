"""Runs as they were: rounds that are put aside, and runs that are removed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection, Table, and_, bindparam, delete, exists, insert, select, update

from engine.clock import Instant
from engine.model.earlier import EarlierRound
from engine.model.execution import NEVER, Task, Workflow
from engine.model.status import WorkflowStatus
from engine.store.batch import Batch
from engine.store.codec import decode, encode, storable
from engine.store.history_port import RemovedRun
from engine.store.history_tables import earlier_round, earlier_task, removed_run
from engine.store.outside import Outside
from engine.store.schema import request_log, task, workflow
from engine.store.webhook_tables import awaited
from engine.store.worker_tables import task_log

_R = TypeVar("_R", Task, Workflow)

#: What belongs to a run and goes with it, the run's own row last.
_OF_A_RUN: Final[tuple[tuple[Table, str], ...]] = (
    (task, "workflow_id"),
    (earlier_task, "workflow_id"),
    (earlier_round, "workflow_id"),
    (request_log, "workflow_id"),
    (awaited, "workflow_id"),
    (task_log, "workflow_id"),
    (workflow, "id"),
)


class History:
    """The part of a transaction that keeps what runs have been."""

    def __init__(self, connection: Connection, batch: Batch, outside: Outside) -> None:
        self._connection = connection
        self._batch = batch
        self._outside = outside
        #: Runs that are gone once the transaction is committed.
        self.gone: list[str] = []

    def put_aside(self, rounds: Iterable[EarlierRound]) -> None:
        """Keep each round, and move its tasks out of the table of those that count."""
        for each in rounds:
            run = storable(each.workflow.id)
            record = msgspec.structs.replace(each.workflow, unconfirmed=())
            line = {"workflow_id": run, "number": each.number, "at": each.at, "body": self._written(record)}
            self._connection.execute(insert(earlier_round), line)
            if not each.tasks:
                continue
            rows = [
                {"workflow_id": run, "seq": gone.seq, "number": each.number, "body": self._written(gone)}
                for gone in each.tasks
            ]
            self._connection.execute(insert(earlier_task), rows)
            moved = delete(task).where(and_(task.c.workflow_id == run, task.c.seq == bindparam("gone")))
            self._connection.execute(moved, [{"gone": gone.seq} for gone in each.tasks])

    def forget(self, keys: Iterable[tuple[str, int]]) -> None:
        """Delete these tasks for good, and what stands in their logs: a loop may go on for ever."""
        rows = [{"of_run": storable(run), "gone": seq} for run, seq in keys]
        if rows:
            for each in (task, task_log):
                it = and_(each.c.workflow_id == bindparam("of_run"), each.c.seq == bindparam("gone"))
                self._connection.execute(delete(each).where(it), rows)

    def earlier_rounds(self, workflow_id: str) -> tuple[EarlierRound, ...]:
        """See ``HistoryTransaction.earlier_rounds``."""
        run = storable(workflow_id)
        lines = select(earlier_round.c.number, earlier_round.c.at, earlier_round.c.body)
        lines = lines.where(earlier_round.c.workflow_id == run).order_by(earlier_round.c.number)
        rounds = self._connection.execute(lines).all()
        if not rounds:
            return ()
        rows = select(earlier_task.c.number, earlier_task.c.body)
        rows = rows.where(earlier_task.c.workflow_id == run).order_by(earlier_task.c.seq)
        tasks: dict[int, list[Task]] = {}
        for number, body in self._connection.execute(rows):
            tasks.setdefault(number, []).append(self._kept(body, Task))
        return tuple(
            EarlierRound(
                number=number,
                at=Instant(at),
                workflow=self._kept(body, Workflow),
                tasks=tuple(tasks.get(number, ())),
            )
            for number, at, body in rounds
        )

    def _written(self, record: _R) -> str:
        run = record.workflow_id if isinstance(record, Task) else record.id
        return encode(msgspec.to_builtins(self._outside.put_aside(record, run)))

    def _kept(self, body: str, kind: type[_R]) -> _R:
        # What is empty is what the record's field has by default.
        fields = {name: value for name, value in decode(body).items() if value != []}
        payloads = {name: fields.pop(name) for name in ("input", "output") if name in fields}
        record = msgspec.structs.replace(msgspec.convert(fields, kind), **payloads)
        return self._outside.had_aside(record)

    def remove(self, removed: Iterable[RemovedRun]) -> None:
        """Delete all rows of these runs, and remember that they were removed."""
        every = list(removed)
        if not every:
            return
        runs = [each.workflow_id for each in every]
        for table, column in _OF_A_RUN:
            self._connection.execute(delete(table).where(self._batch.among(table.c[column], runs)))
        put = self._batch.put(
            removed_run, lambda given: {"at": given.at, "body": given.body, "moving_at": NEVER, "moved_at": NEVER}
        )
        for each in every:
            body = None if each.document is None else encode(each.document)
            self._connection.execute(put, {"id": storable(each.workflow_id), "at": each.at, "body": body})
        self.gone += runs

    def removed_run(self, workflow_id: str) -> RemovedRun | None:
        """See ``HistoryTransaction.removed_run``."""
        columns = removed_run.c
        query = select(columns.at, columns.body, columns.moved_at).where(columns.id == storable(workflow_id))
        found: Any = self._connection.execute(query).first()
        if found is None:
            return None
        # A process of the version before, which knows of no outside, may have put another archive into the row.
        outside = found.body is None and found.moved_at > NEVER
        document = self._outside.archive(workflow_id) if outside else found.body and decode(found.body)
        return RemovedRun(workflow_id=workflow_id, at=Instant(found.at), document=document, outside=outside)

    def ended_before(self, moment: Instant, limit: int) -> tuple[str, ...]:
        """See ``HistoryTransaction.ended_before``."""
        columns, parent = workflow.c, workflow.alias()
        ended = columns.status.in_([each.value for each in WorkflowStatus if each.is_terminal])
        # Whoever ended before it began before it too, which is what an index knows.
        old = and_(ended, columns.created_at < moment, columns.ended_at < moment)
        alone = ~exists().where(parent.c.id == columns.parent_id)
        query = select(columns.id).where(old, alone).order_by(columns.created_at).limit(limit)
        return tuple(self._connection.scalars(query))

    def forget_archives(self, before: Instant, limit: int) -> int:
        """See ``HistoryTransaction.forget_archives``."""
        old = and_(removed_run.c.at < before, removed_run.c.body.is_not(None))
        found = list(
            self._connection.scalars(select(removed_run.c.id).where(old).order_by(removed_run.c.at).limit(limit))
        )
        if found:
            self._connection.execute(update(removed_run).where(removed_run.c.id.in_(found)).values(body=None))
        return len(found)
