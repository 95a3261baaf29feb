"""Archives on their way out, in memory: the part of a transaction that ``store.archives`` is in a database."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import msgspec

from engine.clock import Instant, after
from engine.model.execution import NEVER
from engine.store.archive_port import Archived
from engine.store.history_port import RemovedRun

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables


class MemoryArchives:
    """Sees archives off that are kept in the tables of a ``MemoryStore``."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        self._tables = tables
        self._journal = journal

    def archives_in_rows(self, most: int) -> int:
        """See ``Archives.archives_in_rows``."""
        return min(most, len(self._found(lambda each: each.document is not None)))

    def archives_to_move(self, now: Instant, lease_seconds: float, limit: int) -> tuple[Archived, ...]:
        """See ``Archives.archives_to_move``."""
        moving, free = self._tables.moving_at, after(now, -lease_seconds)
        ready = self._found(lambda each: each.document is not None and moving.get(_key(each), Instant(NEVER)) <= free)[
            :limit
        ]
        for each in ready:
            self._journal.put(moving, each, now)
        return ready

    def note_moved(self, archives: Collection[Archived], now: Instant) -> None:
        """See ``Archives.note_moved``."""
        self._change(archives, outside=True)

    def archives_moved(self, before: Instant, limit: int) -> tuple[Archived, ...]:
        """See ``Archives.archives_moved``."""
        return self._found(lambda each: each.outside and each.at < before)[:limit]

    def forget_moved(self, archives: Collection[Archived]) -> None:
        """See ``Archives.forget_moved``."""
        self._change(archives, outside=False)

    def _found(self, wanted: Callable[[RemovedRun], bool]) -> tuple[Archived, ...]:
        found = filter(wanted, self._tables.removed.values())
        return tuple(_key(each) for each in sorted(found, key=lambda each: each.at))

    def _change(self, archives: Collection[Archived], *, outside: bool) -> None:
        removed = self._tables.removed
        for each in archives:
            known = removed.get(each.workflow_id)
            if known is not None and known.at == each.removed_at:
                changed = msgspec.structs.replace(known, document=None, outside=outside)
                self._journal.put(removed, each.workflow_id, changed)


def _key(run: RemovedRun) -> Archived:
    return Archived(run.workflow_id, run.at)
