"""Results that are kept for later tasks, for as long as their definitions say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Connection, delete, or_, select

from engine.clock import Instant
from engine.model.payload import JsonObject
from engine.store.batch import Batch
from engine.store.codec import decode, encode
from engine.store.result_tables import kept_result
from engine.store.results_port import MOST_RESULTS, StoredResult

#: Results that are forgotten with one statement.
_AT_A_TIME: Final = 1_000

_columns = kept_result.c


class Results:
    """The part of a transaction that keeps results."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def keep_results(self, results: Sequence[StoredResult]) -> None:
        """See ``Transaction.keep_results``."""
        last = {each.digest: each for each in results}
        # In one order everywhere, so that nobody waits in a circle.
        rows = [
            {"digest": digest, "output": encode(each.output), "until": each.until}
            for digest, each in sorted(last.items())
        ]
        put = self._batch.put(kept_result, lambda given: {"output": given.output, "until": given.until})
        if rows:
            self._connection.execute(put, rows)

    def kept_results(self, digests: Collection[str], now: Instant) -> dict[str, JsonObject]:
        """See ``Transaction.kept_results``."""
        query = select(_columns.digest, _columns.output)
        query = query.where(self._batch.among(_columns.digest, digests), _columns.until > now)
        return {digest: decode(output) for digest, output in self._connection.execute(query)}

    def forget_results(self, now: Instant, most: int = MOST_RESULTS) -> int:
        """See ``Transaction.forget_results``."""
        latest_first = select(_columns.until).order_by(_columns.until.desc())
        too_many = self._connection.scalar(latest_first.offset(most).limit(1))
        gone = _columns.until <= now if too_many is None else or_(_columns.until <= now, _columns.until <= too_many)
        some = select(_columns.digest).where(gone).order_by(_columns.until).limit(_AT_A_TIME)
        digests = self._connection.scalars(some.with_for_update(skip_locked=True)).all()
        if digests:
            self._connection.execute(delete(kept_result).where(self._batch.among(_columns.digest, digests)))
        return len(digests)
