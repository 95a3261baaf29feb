"""chain: 500 workflows of ten empty tasks each, beside the same 5,000 tasks through bare Celery."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bare_celery import BareCelery
from benchmarks.cpu import Meter
from benchmarks.figure import Figure, Round, Target
from benchmarks.runs import Runs
from benchmarks.scope import Scope

STEPS = 10


def definition() -> dict[str, object]:
    """Return the workflow: ten empty tasks, one after the other."""
    tasks = [{"name": "empty", "taskReferenceName": f"step_{number}"} for number in range(1, STEPS + 1)]
    return {"name": "bench_chain", "version": 1, "tasks": tasks}


def measure(scope: Scope) -> list[Figure]:
    """Measure the quick setting, which has the targets, and the one that keeps the order of priorities."""
    quick_ours, quick_bare = _alternate(scope, prefetch_multiplier=16)
    fair_ours, fair_bare = _alternate(scope, prefetch_multiplier=1)
    return [
        Figure("chain (prefetch 16)", "tasks/s", quick_ours, quick_bare, Target("≥", 0.85, of_ratio=True)),
        _cpu("decider", quick_ours, Target("≤", 0.35)),
        _cpu("database", quick_ours, Target("≤", 0.20)),
        Figure("chain (prefetch 1)", "tasks/s", fair_ours, fair_bare),
    ]


def _cpu(process: str, rounds: Sequence[Round], target: Target) -> Figure:
    return Figure(f"chain: CPU of {process}", "ms/task", [Round(each.cpu_ms[process]) for each in rounds], (), target)


def _alternate(scope: Scope, prefetch_multiplier: int) -> tuple[list[Round], list[Round]]:
    """Alternate Baton and bare Celery on one worker; return the rounds of both."""
    stack, workflows = scope.stack, scope.at_most(500, quick=100)
    with stack.decider() as decider, stack.worker(prefetch_multiplier) as worker:
        meter = Meter({"decider": [decider], "worker": [worker], **stack.server_processes()})
        runs, celery = Runs(stack, definition()), BareCelery(stack)
        ours: list[Round] = []
        bare: list[Round] = []
        # The first round of each side warms connections, caches and the workers up, and does not count.
        for number in range(scope.rounds + 1):
            bare.append(celery.many(workflows * STEPS, meter))
            ours.append(runs.all_of([{}] * workflows, meter, workflows * STEPS))
            scope.tell(
                f"chain (prefetch {prefetch_multiplier}), round {number}: "
                f"Celery {bare[-1].value:,.0f}/s, Baton {ours[-1].value:,.0f}/s"
            )
        runs.close()
        celery.close()
    return ours[1:], bare[1:]
