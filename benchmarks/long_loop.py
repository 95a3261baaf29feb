"""long-loop: one DO_WHILE of 10 to 10,000 iterations; an iteration must not cost more because many went before."""

from __future__ import annotations

from benchmarks.cpu import Meter
from benchmarks.figure import Figure, Round, Target
from benchmarks.runs import Runs
from benchmarks.scope import Scope

_NAME = "bench_loop"

#: Iterations; the first is what the others are compared with, by so many runs one after the other.
_SIZES = ((10, 50), (1_000, 1), (10_000, 1))

_FLAT = 1.5


def _definition() -> dict[str, object]:
    loop = {
        "name": "loop",
        "taskReferenceName": "loop",
        "type": "DO_WHILE",
        "inputParameters": {"times": "${workflow.input.times}"},
        "loopCondition": "$.loop['iteration'] < $.times",
        "loopOver": [{"name": "empty", "taskReferenceName": "again"}],
    }
    return {"name": _NAME, "version": 1, "tasks": [loop]}


def measure(scope: Scope) -> list[Figure]:
    """Measure milliseconds for each iteration at every size."""
    sizes = _SIZES if not scope.is_quick else ((10, 5), (100, 1))
    rounds: dict[int, list[Round]] = {size: [] for size, _ in sizes}
    with scope.stack.decider() as decider, scope.stack.worker(prefetch_multiplier=16) as worker:
        meter = Meter({"decider": [decider], "worker": [worker], **scope.stack.server_processes()})
        runs = Runs(scope.stack, _definition())
        for number in range(scope.rounds + 1):
            for size, times in sizes if number else sizes[:1]:
                each = [runs.all_of([{"times": size}], meter, size) for _ in range(times)]
                spent = 1_000 * sum(1 / one.value for one in each) / times
                rounds[size].append(Round(spent, each[-1].cpu_ms))
                scope.tell(f"long-loop, round {number}: {spent:.2f} ms for each of {size:,} iterations")
        runs.close()
    short = rounds[sizes[0][0]][1:]
    return [
        Figure(f"loop of {sizes[0][0]:,}", "ms/iteration", short),
        *(
            Figure(f"loop of {size:,}", "ms/iteration", rounds[size], short, Target("≤", _FLAT, of_ratio=True))
            for size, _ in sizes[1:]
        ),
    ]
