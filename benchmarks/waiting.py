"""waiting: a million runs in WAIT; what they cost while nothing is due, and how late those are that become due."""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import quantiles

import psutil
import sqlalchemy

from benchmarks.cpu import Meter
from benchmarks.figure import Figure, Round, Target
from benchmarks.runs import Runs
from benchmarks.scope import Scope
from benchmarks.stack import Stack
from engine.clock import MILLISECOND, SECOND

_NAME = "bench_waiting"

#: Processor time of all processes together while nothing is due, percent of one core.
_IDLE = Target("≤", 2.0)

#: How late the 99th of a hundred may be, milliseconds.
_LATE_MS = 250.0

#: Runs that become due, and over how many seconds their dates are spread.
_DUE = 300
_SPREAD_SECONDS = 30

#: A decider's memory is looked at after the first of so many parts of the runs, when it has more than its cache holds,
#: and after all of them, when it must be what it was.
_EARLY = 20
_BOUNDED = Target("≤", 1.2, of_ratio=True)

_MEGABYTE = 1_000_000


def _definition(name: str) -> dict[str, object]:
    wait = {
        "name": "wait",
        "taskReferenceName": "wait",
        "type": "WAIT",
        "inputParameters": {"duration": "${workflow.input.duration}"},
    }
    return {"name": name, "version": 1, "tasks": [wait]}


def measure(scope: Scope) -> list[Figure]:
    """Start them once; each round then looks at a quiet minute and at 300 dates."""
    stack, waiting = scope.stack, scope.at_most(1_000_000, quick=10_000)
    idle: list[dict[str, float]] = []
    late: list[Round] = []
    with ExitStack() as processes:
        names = ("decider", "starter", "timekeeper")
        pids = {name: [processes.enter_context(stack.baton(name))] for name in names}
        many, due = Runs(stack, _definition(_NAME)), Runs(stack, _definition(f"{_NAME}_due"))
        started = time.perf_counter()
        memory = []
        for stored, count in ((0, waiting // _EARLY), (waiting // _EARLY, waiting)):
            _fill(stack, many, stored, count)
            memory.append(Round(psutil.Process(pids["decider"][0]).memory_info().rss / _MEGABYTE))
        scope.tell(f"waiting: {waiting:,} runs wait after {time.perf_counter() - started:.0f} s")
        meter = Meter({**pids, **stack.server_processes()})
        _settle(scope, meter)
        for number in range(scope.rounds):
            idle.append(_quiet(meter, scope.at_most(60, quick=15)))
            late.append(Round(_lateness(stack, due)))
            each = ", ".join(f"{process} {used:.2f}" for process, used in idle[-1].items())
            scope.tell(f"waiting, round {number + 1}: idle percent {each}; p99 {late[-1].value:.0f} ms late")
        many.close()
        due.close()
    return [
        Figure(f"waiting: {waiting:,} runs, idle CPU of all", "%", [_all(each) for each in idle], (), _IDLE),
        *(
            Figure(f"waiting: idle CPU of {process}", "%", [Round(each[process]) for each in idle])
            for process in idle[0]
        ),
        Figure("waiting: lateness, p99", "ms", late, (), Target("≤", _LATE_MS)),
        # A quick look has fewer runs than a decider keeps in memory.
        Figure("waiting: a decider's memory", "MB", memory[1:], memory[:1], None if scope.is_quick else _BOUNDED),
    ]


def _fill(stack: Stack, runs: Runs, stored: int, count: int) -> None:
    """Start runs that wait for a day, beside those that are ``stored``; return once so many are in all."""
    for first in range(stored, count, 10_000):
        runs.start([{"duration": "1 day"}] * min(10_000, count - first))
    runs.begun(count)


def _settle(scope: Scope, meter: Meter) -> None:
    """Have Postgres do at once what the rows just written leave to it for the next minutes; tell what that was.

    Autovacuum and the checkpointer would do it sooner or later, in a minute that is quiet otherwise.
    """
    if scope.stack.database != "postgres":
        return
    database = sqlalchemy.create_engine(scope.stack.database_url, isolation_level="AUTOCOMMIT")
    meter.start()
    began = time.perf_counter()
    with database.connect() as connection:
        for statement in ("VACUUM (ANALYZE)", "CHECKPOINT"):
            connection.exec_driver_sql(statement)
    database.dispose()
    seconds, used = time.perf_counter() - began, meter.stop()["database"]
    scope.tell(f"waiting: vacuum and checkpoint took {seconds:.0f} s, {used:.1f} s of them processor time of Postgres")


def _quiet(meter: Meter, seconds: float) -> dict[str, float]:
    """Return the processor time that each process uses in a quiet while, in percent of one core."""
    time.sleep(2.0)
    meter.start()
    time.sleep(seconds)
    return {process: 100 * used / seconds for process, used in meter.stop().items()}


def _all(percent: dict[str, float]) -> Round:
    return Round(sum(percent.values()))


def _lateness(stack: Stack, runs: Runs) -> float:
    """Let runs become due; return how many milliseconds after its date the 99th of a hundred went on."""
    seconds = [1 + number % _SPREAD_SECONDS for number in range(_DUE)]
    ids = runs.start([{"duration": f"{each} seconds"} for each in seconds])
    runs.wait(_DUE)
    with stack.store.transaction() as transaction:
        rows = transaction.load(ids)
    late = []
    for identity, each in zip(ids, seconds, strict=True):
        (wait,) = rows[identity].tasks
        late.append((wait.ended_at - wait.scheduled_at - each * SECOND) / MILLISECOND)
    return quantiles(late, n=100)[98]
