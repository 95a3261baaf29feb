"""Results of tasks on the road that are kept for later ones: written with the decisions they come from."""

from __future__ import annotations

from collections.abc import Iterable

from engine.clock import Instant, after
from engine.decider.decide import Decision
from engine.expression.budget import outweighs
from engine.model.question import KeptResult
from engine.store.port import Transaction
from engine.store.results_port import StoredResult

#: Characters as JSON. A larger output is not kept: it would be read and written by everybody who has the same key.
_LARGEST = 1024 * 1024


def keep_results(transaction: Transaction, stored: Iterable[Decision], now: Instant) -> None:
    """Keep what decisions that have been stored in this transaction want kept; without any nothing is written."""
    found: dict[KeptResult, StoredResult] = {}
    for decision in stored:
        for key, (output, seconds) in decision.draft.results.items():
            if not outweighs(output, _LARGEST):
                found[key] = StoredResult(digest=key.digest, output=output, until=after(now, seconds))
    if found:
        transaction.keep_results(list(found.values()))
