"""Notices that their sinks have not taken yet, and when each is tried again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select, update

from engine.clock import Instant, after
from engine.store.batch import Batch
from engine.store.codec import decode, encode, storable
from engine.store.notice_port import HeldNotice
from engine.store.notice_tables import held_notice

#: Notices that are shown to people at a time.
_MOST_SHOWN: Final = 100

_columns = held_notice.c
_FIELDS: Final = tuple(_columns[name] for name in HeldNotice.__struct_fields__)


class Notices:
    """The part of a transaction that keeps notices."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def hold_notices(self, held: Sequence[HeldNotice]) -> None:
        """See ``HeldNotices.hold_notices``."""
        if not held:
            return
        put = self._batch.put(
            held_notice,
            lambda given: {"due_at": given.due_at, "attempts": given.attempts, "reason": given.reason},
        )
        rows = {row["digest"]: row for row in map(_row, held)}
        self._connection.execute(put, [rows[digest] for digest in sorted(rows)])

    def due_notices(self, now: Instant, lease_seconds: float, limit: int) -> tuple[HeldNotice, ...]:
        """See ``HeldNotices.due_notices``."""
        due = (
            select(*_FIELDS, _columns.digest)
            .where(_columns.due_at <= now)
            .order_by(_columns.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = self._connection.execute(due).all()
        if rows:
            leased = self._batch.among(_columns.digest, [row.digest for row in rows])
            self._connection.execute(update(held_notice).where(leased).values(due_at=after(now, lease_seconds)))
        return tuple(map(_read, rows))

    def hurry_notices(self, sinks: Collection[str], now: Instant) -> None:
        """See ``HeldNotices.hurry_notices``."""
        if sinks:
            theirs = self._batch.among(_columns.sink_digest, [_digest(sink) for sink in sinks])
            self._connection.execute(update(held_notice).where(theirs, _columns.due_at > now).values(due_at=now))

    def let_go_notices(self, held: Sequence[HeldNotice]) -> None:
        """See ``HeldNotices.let_go_notices``."""
        if held:
            gone = self._batch.among(_columns.digest, [_digest(each.id, each.sink) for each in held])
            self._connection.execute(delete(held_notice).where(gone))

    def held_notices(self) -> tuple[int, tuple[HeldNotice, ...]]:
        """See ``HeldNotices.held_notices``."""
        count = self._connection.scalar(select(func.count()).select_from(held_notice)) or 0
        oldest = select(*_FIELDS).order_by(_columns.held_since, _columns.digest).limit(_MOST_SHOWN)
        return count, tuple(map(_read, self._connection.execute(oldest)))

    def sinks_waited_for(self) -> dict[str, int]:
        """See ``HeldNotices.sinks_waited_for``."""
        # By digest, which is short and has an index; all that share one have one sink.
        counted = select(func.min(_columns.sink), func.count()).group_by(_columns.sink_digest)
        return dict(map(tuple, self._connection.execute(counted)))

    def drop_notices(self, sinks: Collection[str]) -> int:
        """See ``HeldNotices.drop_notices``."""
        if not sinks:
            return 0
        theirs = self._batch.among(_columns.sink_digest, [_digest(sink) for sink in sinks])
        return self._connection.execute(delete(held_notice).where(theirs)).rowcount


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(map(storable, parts)).encode()).hexdigest()


def _row(held: HeldNotice) -> dict[str, Any]:
    return {
        "digest": _digest(held.id, held.sink),
        "sink_digest": _digest(held.sink),
        "id": storable(held.id),
        "sink": storable(held.sink),
        "topic": storable(held.topic),
        "document": encode(held.document),
        "held_since": held.held_since,
        "due_at": held.due_at,
        "attempts": held.attempts,
        "reason": storable(held.reason),
    }


def _read(row: Any) -> HeldNotice:
    values = {name: getattr(row, name) for name in HeldNotice.__struct_fields__}
    return HeldNotice(**{**values, "document": decode(values["document"])})
