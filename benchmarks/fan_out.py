"""fan-out: one dynamic fork of 100 to 100,000 branches; a branch must not cost more because there are many."""

from __future__ import annotations

import sys
import tracemalloc

import msgspec
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

#: Branches of the fork that a decider has opened before its memory is looked at.
_SMALL = 1_000


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
    return [*figures, *_memory(scope)]


def _branches(runs: Runs, meter: Meter, size: int, times: int) -> Round:
    """Run so many forks one after the other; return the milliseconds for each branch."""
    per_second = [runs.all_of([{"branches": [{}] * size}], meter, size) for _ in range(times)]
    seconds = sum(1 / each.value for each in per_second) / times
    return Round(1_000 * seconds, per_second[-1].cpu_ms)


def _memory(scope: Scope) -> list[Figure]:
    """Return by how much a decider grows for each branch that is open, in bytes, and how much of it is no payload."""
    size = scope.at_most(100_000, quick=10_000)
    grown, beyond = [], []
    for _ in range(scope.rounds):
        bytes_grown, payload = _opened(scope.stack, size)
        grown.append(Round(bytes_grown / size))
        beyond.append(Round((bytes_grown - payload) / size))
    return [
        Figure("fan-out: a decider's growth", "bytes/branch", grown),
        Figure("fan-out: a decider's memory beyond payloads", "bytes/branch", beyond, (), Target("≤", 1_024)),
    ]


def _opened(stack: Stack, size: int) -> tuple[int, int]:
    """Open a fork that nobody works on; return the bytes by which a fresh decider has grown, and the payload's.

    It has opened a small one before: modules, and what connections keep room for, belong to no branch.
    """
    with stack.decider() as decider:
        runs = Runs(stack, definition("bench_unserved"))
        runs.broker.consume("bench_unserved", 1_000)
        _open(runs, _SMALL)
        before = psutil.Process(decider).memory_info().rss
        run = _open(runs, size)
        grown = psutil.Process(decider).memory_info().rss - before
        runs.close()
    return grown, _payload_bytes(stack, run)


def _open(runs: Runs, size: int) -> str:
    """Start a run with a fork of so many branches; return its id once all of them are handed out."""
    (run,) = runs.start([{"branches": [{}] * size}])
    left = size
    while left:
        found = runs.broker.receive(1_000, 1.0)
        runs.broker.ack(found)
        left -= sum(1 for each in found if each.queue == "bench_unserved")
    return run


def _payload_bytes(stack: Stack, run: str) -> int:
    """Return what the data of a run with a fork take as values of Python, counted as they are made.

    Each piece once: the fork's input holds the elements and the names of the branches, and each branch has its own. The
    run's input has the elements too, the join's the names; they are the same values in a decider that made them.
    """
    with stack.store.transaction() as transaction:
        tasks = transaction.load([run])[run].tasks
    texts = [msgspec.json.encode(task.input) for task in tasks if task.type != "JOIN"]
    tracemalloc.start()
    try:
        values = [msgspec.json.decode(text) for text in texts]
        return tracemalloc.get_traced_memory()[0] - sys.getsizeof(values)
    finally:
        tracemalloc.stop()
