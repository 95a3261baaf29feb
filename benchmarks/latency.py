"""latency: one chain at a time on an idle system, from step to step, beside a round trip through bare Celery."""

from __future__ import annotations

from itertools import pairwise
from statistics import quantiles

from benchmarks.bare_celery import BareCelery
from benchmarks.chain import STEPS, definition
from benchmarks.figure import Figure, Round, Target
from benchmarks.runs import Runs
from benchmarks.scope import Scope
from engine.clock import MILLISECOND

#: What a step may cost more than Celery's own round trip, milliseconds.
_MORE_AT_MEDIAN = 3.0
_MORE_AT_P99 = 10.0


def measure(scope: Scope) -> list[Figure]:
    """Measure median and 99th percentile; a figure is what Baton adds to Celery's."""
    stack, chains = scope.stack, scope.at_most(50, quick=5)
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    with stack.decider(), stack.worker(prefetch_multiplier=1):
        runs, celery = Runs(stack, definition()), BareCelery(stack)
        for number in range(scope.rounds + 1):
            bare.append(_middle_and_p99(celery.one_by_one(chains * STEPS)))
            ours.append(_middle_and_p99(_steps(runs, scope, chains)))
            scope.tell(
                f"latency, round {number}: Celery {bare[-1][0]:.1f} ms, p99 {bare[-1][1]:.1f}; "
                f"Baton {ours[-1][0]:.1f} ms, p99 {ours[-1][1]:.1f}"
            )
        runs.close()
        celery.close()
    figures = []
    for index, (name, more) in enumerate((("p50", _MORE_AT_MEDIAN), ("p99", _MORE_AT_P99))):
        mine, theirs = ([Round(each[index]) for each in side[1:]] for side in (ours, bare))
        added = [Round(one.value - other.value) for one, other in zip(mine, theirs, strict=True)]
        figures += [
            Figure(f"latency of a step, {name}", "ms", mine, theirs),
            Figure(f"latency: added to Celery's, {name}", "ms", added, (), Target("≤", more)),
        ]
    return figures


def _steps(runs: Runs, scope: Scope, chains: int) -> list[float]:
    """Run chains one after the other; return the milliseconds from each task's dispatch to the next one's."""
    found: list[float] = []
    for _ in range(chains):
        (identity,) = runs.start([{}])
        runs.wait(1)
        with scope.stack.store.transaction() as transaction:
            tasks = transaction.load([identity])[identity].tasks
        found += [(later.scheduled_at - task.scheduled_at) / MILLISECOND for task, later in pairwise(tasks)]
    return found


def _middle_and_p99(values: list[float]) -> tuple[float, float]:
    cuts = quantiles(values, n=100)
    return cuts[49], cuts[98]
