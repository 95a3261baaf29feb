"""Results that are kept for later tasks, in a store that keeps everything in this process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from engine.clock import Instant
from engine.model.payload import JsonObject
from engine.store.results_port import MOST_RESULTS, StoredResult

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables


class MemoryResults:
    """The part of a transaction that keeps results."""

    _tables: Tables
    _journal: Journal

    def keep_results(self, results: Sequence[StoredResult]) -> None:
        """See ``Transaction.keep_results``."""
        for each in results:
            self._journal.put(self._tables.results, each.digest, each)

    def kept_results(self, digests: Collection[str], now: Instant) -> dict[str, JsonObject]:
        """See ``Transaction.kept_results``."""
        found = (self._tables.results.get(digest) for digest in digests)
        return {each.digest: each.output for each in found if each is not None and each.until > now}

    def forget_results(self, now: Instant, most: int = MOST_RESULTS) -> int:
        """See ``Transaction.forget_results``."""
        latest_first = sorted(self._tables.results.values(), key=lambda each: -each.until)
        gone = [each.digest for place, each in enumerate(latest_first) if place >= most or each.until <= now]
        for digest in gone:
            self._journal.drop(self._tables.results, digest)
        return len(gone)
