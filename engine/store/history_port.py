"""What a store keeps of runs as they were: earlier rounds, and those that were removed."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from engine.clock import Instant
from engine.model.earlier import EarlierRound
from engine.model.payload import JsonObject


class RemovedRun(Struct, frozen=True, kw_only=True):
    """A run whose rows are gone; ``document`` is what was archived of it.

    ``outside`` says that the archive is kept in another storage; without a way there its document is missing here.
    """

    workflow_id: str
    at: Instant
    document: JsonObject | None = None
    outside: bool = False


class HistoryTransaction(Protocol):
    """What can be read of runs as they were, inside one transaction; ``Save`` writes it."""

    def earlier_rounds(self, workflow_id: str) -> tuple[EarlierRound, ...]:
        """Return what a run was each time it was done over, oldest first."""
        ...

    def removed_run(self, workflow_id: str) -> RemovedRun | None:
        """Return what is known of a run that was removed, None when it was not.

        Raises ``PayloadLost`` when its archive was kept outside and is not there, ``StoreUnavailable`` when the storage
        for archives does not answer.
        """
        ...

    def ended_before(self, moment: Instant, limit: int) -> tuple[str, ...]:
        """Return some of the runs that ended before this, those that began first; none whose parent is still there."""
        ...

    def forget_archives(self, before: Instant, limit: int) -> int:
        """Forget archives in rows, of some runs that were removed before this, and return how many.

        That they were removed stays known.
        """
        ...
