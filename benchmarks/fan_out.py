"""fan-out: one dynamic fork of 100 to 100,000 branches; a branch must not cost more because there are many."""

from __future__ import annotations

import psutil

from benchmarks.cpu import Meter
from benchmarks.figure import Figure, Round, Target
from benchmarks.runs import Runs
from benchmarks.scope import Scope
from benchmarks.stack import Stack

_NAME = "bench_fan_out"

#: Branches; the first is what the others are compared with, by so many runs one after the other.
_SIZES = ((100, 20), (1_000, 5), (10_000, 1), (100_000, 1))

#: A branch of the widest fork may cost so many times what one of the narrowest does.
_FLAT = 1.5


def definition(task: str) -> dict[str, object]:
    """Return the workflow: a fork of as many branches as its input has, of one task each, and its join."""
    branch = {"name": task, "taskReferenceName": "branch", "type": "SIMPLE"}
    fork = {
        "name": "fork",
        "taskReferenceName": "fork",
        "type": "FORK_JOIN_DYNAMIC",
        "inputParameters": {"forkTaskName": branch["name"], "forkTaskInputs": "${workflow.input.branches}"},
    }
    join = {"name": "join", "taskReferenceName": "join", "type": "JOIN"}
    return {"name": _NAME, "version": 1, "tasks": [fork, join]}


def measure(scope: Scope) -> list[Figure]:
    """Measure milliseconds for each branch at every size, then the memory of a decider for each open branch."""
    sizes = _SIZES if not scope.is_quick else _SIZES[:2]
    rounds: dict[int, list[Round]] = {size: [] for size, _ in sizes}
    with scope.stack.decider() as decider, scope.stack.worker(prefetch_multiplier=16) as worker:
        meter = Meter({"decider": [decider], "worker": [worker], **scope.stack.server_processes()})
        runs = Runs(scope.stack, definition("empty"))
        for number in range(scope.rounds + 1):
            # The first round warms up, which narrow forks do as well as wide ones.
            for size, times in sizes if number else sizes[:1]:
                rounds[size].append(_branches(runs, meter, size, times))
                scope.tell(f"fan-out, round {number}: {rounds[size][-1].value:.2f} ms for each of {size:,} branches")
        runs.close()
    narrow = rounds[sizes[0][0]][1:]
    figures = [Figure(f"fan-out of {sizes[0][0]:,}", "ms/branch", narrow)]
    for size, _ in sizes[1:]:
        figures.append(
            Figure(f"fan-out of {size:,}", "ms/branch", rounds[size], narrow, Target("≤", _FLAT, of_ratio=True))
        )
    return [*figures, _memory(scope)]


def _branches(runs: Runs, meter: Meter, size: int, times: int) -> Round:
    """Run so many forks one after the other; return the milliseconds for each branch."""
    per_second = [runs.all_of([{"branches": [{}] * size}], meter, size) for _ in range(times)]
    seconds = sum(1 / each.value for each in per_second) / times
    return Round(1_000 * seconds, per_second[-1].cpu_ms)


def _memory(scope: Scope) -> Figure:
    """Return what a decider holds for each branch that is open, in bytes."""
    size = scope.at_most(100_000, quick=1_000)
    rounds = [Round(_grown(scope.stack, size)) for _ in range(scope.rounds)]
    return Figure("fan-out: a decider's memory", "bytes/branch", rounds, (), Target("≤", 1_024))


def _grown(stack: Stack, size: int) -> float:
    """Open a fork that nobody works on; return by how many bytes for each branch a fresh decider has grown."""
    with stack.decider() as decider:
        runs = Runs(stack, definition("bench_unserved"))
        runs.start([{"branches": []}])
        runs.wait(1)
        before = psutil.Process(decider).memory_info().rss
        runs.broker.consume("bench_unserved", 1_000)
        runs.start([{"branches": [{}] * size}])
        left = size
        while left:
            found = runs.broker.receive(1_000, 1.0)
            runs.broker.ack(found)
            left -= sum(1 for each in found if each.queue == "bench_unserved")
        grown = psutil.Process(decider).memory_info().rss - before
        runs.close()
    return grown / size
