"""How archives of removed runs leave the database: which are to go, which have gone, and which of those are too old."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from msgspec import Struct

from engine.clock import Instant


class Archived(Struct, frozen=True):
    """The archive of a run, and when the run was removed: one that came again and was removed again has another."""

    workflow_id: str
    removed_at: Instant


class Archives(Protocol):
    """What can be done about archives inside one transaction."""

    def archives_in_rows(self, most: int) -> int:
        """Return how many archives are kept in rows, counted to ``most``."""
        ...

    def archives_to_move(self, now: Instant, lease_seconds: float, limit: int) -> tuple[Archived, ...]:
        """Return archives that are kept in rows, the oldest first, and lease them, so that nobody else moves them."""
        ...

    def note_moved(self, archives: Collection[Archived], now: Instant) -> None:
        """Empty the rows of archives that are outside by now; one that is another archive by now is left alone."""
        ...

    def archives_moved(self, before: Instant, limit: int) -> tuple[Archived, ...]:
        """Return archives outside of runs that were removed before this, the oldest first."""
        ...

    def forget_moved(self, archives: Collection[Archived]) -> None:
        """Forget that there were archives outside, where there are none any more; that the runs were removed is not."""
        ...
