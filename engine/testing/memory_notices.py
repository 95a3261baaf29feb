"""Notices that their sinks have not taken yet, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from engine.clock import Instant, after
from engine.store.notice_port import HeldNotice

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables

_MOST_SHOWN: Final = 100


class MemoryNotices:
    """The part of a transaction that keeps notices."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        self._tables = tables
        self._journal = journal

    def hold_notices(self, held: Sequence[HeldNotice]) -> None:
        """See ``HeldNotices.hold_notices``."""
        for each in held:
            known = self._tables.notices.get((each.id, each.sink), each)
            again = replace(known, due_at=each.due_at, attempts=each.attempts, reason=each.reason)
            self._journal.put(self._tables.notices, (each.id, each.sink), again)

    def due_notices(self, now: Instant, lease_seconds: float, limit: int) -> tuple[HeldNotice, ...]:
        """See ``HeldNotices.due_notices``."""
        due = sorted((each for each in self._waiting() if each.due_at <= now), key=lambda each: each.due_at)[:limit]
        self._put_off(due, after(now, lease_seconds))
        return tuple(due)

    def hurry_notices(self, sinks: Collection[str], now: Instant) -> None:
        """See ``HeldNotices.hurry_notices``."""
        self._put_off([each for each in self._waiting() if each.sink in sinks and each.due_at > now], now)

    def let_go_notices(self, held: Sequence[HeldNotice]) -> None:
        """See ``HeldNotices.let_go_notices``."""
        for each in held:
            self._journal.drop(self._tables.notices, (each.id, each.sink))

    def held_notices(self) -> tuple[int, tuple[HeldNotice, ...]]:
        """See ``HeldNotices.held_notices``."""
        oldest = sorted(self._waiting(), key=lambda each: each.held_since)
        return len(oldest), tuple(oldest[:_MOST_SHOWN])

    def sinks_waited_for(self) -> dict[str, int]:
        """See ``HeldNotices.sinks_waited_for``."""
        return dict(Counter(each.sink for each in self._waiting()))

    def drop_notices(self, sinks: Collection[str]) -> int:
        """See ``HeldNotices.drop_notices``."""
        dropped = [each for each in self._waiting() if each.sink in sinks]
        self.let_go_notices(dropped)
        return len(dropped)

    def _waiting(self) -> list[HeldNotice]:
        return list(self._tables.notices.values())

    def _put_off(self, held: Sequence[HeldNotice], due_at: Instant) -> None:
        for each in held:
            self._journal.put(self._tables.notices, (each.id, each.sink), replace(each, due_at=due_at))
