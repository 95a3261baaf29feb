"""What workers say beside results, in the database: lines of logs, and that they have polled."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, case, delete, insert, select

from engine.clock import Instant
from engine.store.batch import Batch
from engine.store.codec import storable
from engine.store.schema import task
from engine.store.worker_port import MOST_LINES, LastPoll, LogLine
from engine.store.worker_tables import last_poll, task_log


class StoredWorkerNotes:
    """The part of a transaction that keeps what workers say."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def has_task(self, workflow_id: str, seq: int) -> bool:
        """See ``WorkerNotes.has_task``."""
        wanted = and_(task.c.workflow_id == storable(workflow_id), task.c.seq == seq)
        return self._connection.scalar(select(task.c.seq).where(wanted)) is not None

    def add_log_lines(self, lines: Sequence[LogLine]) -> None:
        """See ``WorkerNotes.add_log_lines``."""
        rows = [
            {"workflow_id": storable(each.workflow_id), "seq": each.seq, "at": each.at, "line": storable(each.text)}
            for each in lines
        ]
        if rows:
            self._connection.execute(insert(task_log), rows)

    def log_lines(self, workflow_id: str, seq: int, most: int = MOST_LINES) -> tuple[LogLine, ...]:
        """See ``WorkerNotes.log_lines``."""
        columns = task_log.c
        query = select(columns.at, columns.line)
        query = query.where(columns.workflow_id == storable(workflow_id), columns.seq == seq)
        newest = self._connection.execute(query.order_by(columns.id.desc()).limit(most)).all()
        return tuple(
            LogLine(workflow_id=workflow_id, seq=seq, text=line, at=Instant(at)) for at, line in reversed(newest)
        )

    def note_polls(self, polls: Sequence[LastPoll]) -> None:
        """See ``WorkerNotes.note_polls``."""
        # In one order everywhere, so that nobody waits in a circle.
        last = {(each.task_type, each.domain): each for each in sorted(polls, key=lambda each: each.at)}
        rows = [
            {
                "task_type": storable(each.task_type),
                "domain": storable(each.domain),
                "worker": None if each.worker is None else storable(each.worker),
                "at": each.at,
            }
            for _, each in sorted(last.items())
        ]
        known = last_poll.c
        put = self._batch.put(
            last_poll,
            lambda given: {
                "worker": case((known.at <= given.at, given.worker), else_=known.worker),
                "at": case((known.at <= given.at, given.at), else_=known.at),
            },
        )
        if rows:
            self._connection.execute(put, rows)

    def last_polls(self, task_type: str | None = None) -> tuple[LastPoll, ...]:
        """See ``WorkerNotes.last_polls``."""
        columns = last_poll.c
        query = select(columns.task_type, columns.domain, columns.worker, columns.at)
        if task_type is not None:
            query = query.where(columns.task_type == storable(task_type))
        found = self._connection.execute(query.order_by(columns.task_type, columns.domain))
        return tuple(
            LastPoll(task_type=kind, domain=domain, worker=worker, at=Instant(at)) for kind, domain, worker, at in found
        )

    def forget_polls(self, before: Instant) -> int:
        """See ``WorkerNotes.forget_polls``."""
        return self._connection.execute(delete(last_poll).where(last_poll.c.at < before)).rowcount
