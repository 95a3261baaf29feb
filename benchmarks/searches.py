"""search: what Conductor's web UIs ask, on a million runs; see ``benchmarks.search`` for the same as a command."""

from __future__ import annotations

import time

from benchmarks.figure import Figure, Round, Target
from benchmarks.scope import Scope, Skipped
from benchmarks.search import TARGET_MS, fill, search, searches


def measure(scope: Scope) -> list[Figure]:
    """Measure each search that an index answers."""
    if scope.stack.database != "postgres":
        raise Skipped("its runs are made by statements of Postgres")
    rows = scope.at_most(1_000_000, quick=20_000)
    fill(scope.stack.database_url, rows, lambda text: scope.tell(f"search: {text}"))
    figures = []
    for name, (query, more) in searches(rows).items():
        if more.pop("shown", None) is None:
            rounds = [_timed(scope, query, more) for _ in range(max(3, 3 * scope.rounds))]
            figures.append(Figure(f"search: {name}", "ms", rounds, (), Target("≤", TARGET_MS)))
    slowest = max(figures, key=lambda each: each.value)
    scope.tell(f"search: slowest of {len(figures)} on {rows:,} runs is {slowest.scenario}, {slowest.value:.0f} ms")
    return figures


def _timed(scope: Scope, query: str, more: dict[str, str]) -> Round:
    began = time.perf_counter()
    search(scope.stack.store, query, **more)
    return Round(1_000 * (time.perf_counter() - began))
