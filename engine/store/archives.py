"""Archives of removed runs on their way from their rows to another storage."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, and_, bindparam, func, select, update

from engine.clock import Instant, after
from engine.model.execution import NEVER
from engine.store.archive_port import Archived
from engine.store.batch import Batch
from engine.store.codec import storable
from engine.store.history_tables import removed_run

_columns = removed_run.c
_in_a_row = _columns.body.is_not(None)
_outside = _columns.moved_at > NEVER


class StoredArchives:
    """The part of a transaction that sees archives off."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def archives_in_rows(self, most: int) -> int:
        """See ``Archives.archives_in_rows``."""
        some = select(_columns.at).where(_in_a_row).order_by(_columns.at).limit(most).subquery()
        return self._connection.scalar(select(func.count()).select_from(some)) or 0

    def archives_to_move(self, now: Instant, lease_seconds: float, limit: int) -> tuple[Archived, ...]:
        """See ``Archives.archives_to_move``."""
        free = _columns.moving_at <= after(now, -lease_seconds)
        query = select(_columns.id, _columns.at).where(_in_a_row, free).order_by(_columns.at).limit(limit)
        found = tuple(
            Archived(key, Instant(at)) for key, at in self._connection.execute(query.with_for_update(skip_locked=True))
        )
        if found:
            leased = self._batch.among(_columns.id, [each.workflow_id for each in found])
            self._connection.execute(update(removed_run).where(leased).values(moving_at=now))
        return found

    def note_moved(self, archives: Collection[Archived], now: Instant) -> None:
        """See ``Archives.note_moved``."""
        self._change(archives, body=None, moved_at=now)

    def archives_moved(self, before: Instant, limit: int) -> tuple[Archived, ...]:
        """See ``Archives.archives_moved``."""
        query = select(_columns.id, _columns.at).where(_outside, _columns.at < before)
        found = self._connection.execute(query.order_by(_columns.at).limit(limit))
        return tuple(Archived(key, Instant(at)) for key, at in found)

    def forget_moved(self, archives: Collection[Archived]) -> None:
        """See ``Archives.forget_moved``."""
        self._change(archives, moved_at=NEVER)

    def _change(self, archives: Collection[Archived], **values: object) -> None:
        rows = [{"run": storable(each.workflow_id), "then": each.removed_at} for each in archives]
        if rows:
            it = and_(_columns.id == bindparam("run"), _columns.at == bindparam("then"))
            self._connection.execute(update(removed_run).where(it).values(**values), rows)
