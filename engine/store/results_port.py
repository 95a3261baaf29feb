"""What a store must be able to do with results that are kept for later tasks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from msgspec import Struct

from engine.clock import Instant
from engine.model.payload import JsonObject

#: Results that are kept at the utmost; beyond that those go which would go first anyway.
MOST_RESULTS: Final = 100_000


class StoredResult(Struct, frozen=True, kw_only=True):
    """An output by the digest of what it was found for, and until when it counts."""

    digest: str
    output: JsonObject
    until: Instant


class Results(Protocol):
    """The part of a transaction that keeps results."""

    def keep_results(self, results: Sequence[StoredResult]) -> None:
        """Keep these, in the place of what is kept under the same digests. To be called before limits are locked."""
        ...

    def kept_results(self, digests: Collection[str], now: Instant) -> dict[str, JsonObject]:
        """Return the outputs that are kept under these digests and count now."""
        ...

    def forget_results(self, now: Instant, most: int = MOST_RESULTS) -> int:
        """Forget what does not count any more, and of what is more than ``most`` that which goes first; some at a time.

        Returns how many were forgotten.
        """
        ...
