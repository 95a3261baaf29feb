"""What a store keeps of notices that their sink has not taken yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from engine.clock import Instant
from engine.model.payload import JsonObject


class HeldNotice(Struct, frozen=True, kw_only=True):
    """A notice that waits for its sink; together with the sink, its id is the key."""

    id: str
    sink: str
    topic: str
    document: JsonObject
    #: When it first reached the notifier, and when it is due again.
    held_since: Instant
    due_at: Instant
    #: How often its sink has failed to take it, and why the last time.
    attempts: int
    reason: str


class HeldNotices(Protocol):
    """The part of a transaction that keeps notices."""

    def hold_notices(self, held: Sequence[HeldNotice]) -> None:
        """Keep these notices; one that is kept already becomes due, and is known to have failed, as said now."""
        ...

    def due_notices(self, now: Instant, lease_seconds: float, limit: int) -> tuple[HeldNotice, ...]:
        """Return notices that are due, the earliest first; nobody else gets them until the lease has passed.

        Those that somebody else is about to get are skipped.
        """
        ...

    def hurry_notices(self, sinks: Collection[str], now: Instant) -> None:
        """Make everything due that waits for these sinks: they are there again."""
        ...

    def let_go_notices(self, held: Sequence[HeldNotice]) -> None:
        """Forget these notices: they have been taken, or set aside."""
        ...

    def held_notices(self) -> tuple[int, tuple[HeldNotice, ...]]:
        """Return how many notices wait for their sinks, and up to a hundred that have waited longest."""
        ...

    def sinks_waited_for(self) -> dict[str, int]:
        """Return the sinks that notices wait for, and how many for each."""
        ...

    def drop_notices(self, sinks: Collection[str]) -> int:
        """Forget everything that waits for these sinks, and return how many notices that were."""
        ...
