"""light tasks: 400 tasks of ``fibo(10)`` in one workflow, one after the other, on one worker."""

from __future__ import annotations

from benchmarks.bare_celery import BareCelery
from benchmarks.cpu import Meter
from benchmarks.figure import Figure, Round, Target
from benchmarks.runs import Runs
from benchmarks.scope import Scope

_TASKS = 400
_NUMBER = 10

#: The share of the time, in percent, that the engine may take; the rest is the tasks' own and Celery's.
_SHARE = 50.0


def _definition() -> dict[str, object]:
    tasks = [
        {"name": "fibo", "taskReferenceName": f"fibo_{number}", "inputParameters": {"number": _NUMBER}}
        for number in range(1, _TASKS + 1)
    ]
    return {"name": "bench_light", "version": 1, "tasks": tasks}


def measure(scope: Scope) -> list[Figure]:
    """Measure the seconds of the run, and the same tasks sent one by one through bare Celery.

    What bare Celery needs is the tasks' own time and that of the way to a worker and back; the engine's share is what
    Baton adds to it, of Baton's total.
    """
    ours: list[Round] = []
    bare: list[Round] = []
    with scope.stack.decider() as decider, scope.stack.worker(prefetch_multiplier=1) as worker:
        meter = Meter({"decider": [decider], "worker": [worker], **scope.stack.server_processes()})
        runs, celery = Runs(scope.stack, _definition()), BareCelery(scope.stack)
        for number in range(scope.rounds + 1):
            trips = celery.one_by_one(_TASKS, name="fibo", number=_NUMBER)
            bare.append(Round(sum(trips) / 1_000))
            round_ = runs.all_of([{}], meter, _TASKS)
            ours.append(Round(_TASKS / round_.value, round_.cpu_ms))
            scope.tell(f"light, round {number}: Celery {bare[-1].value:.2f} s, Baton {ours[-1].value:.2f} s")
        runs.close()
        celery.close()
    shares = [
        Round(100 * (1 - other.value / mine.value), mine.cpu_ms) for mine, other in zip(ours[1:], bare[1:], strict=True)
    ]
    return [
        Figure(f"light tasks: {_TASKS} in a row", "s", ours[1:], bare[1:]),
        Figure("light tasks: the engine's share", "%", shares, (), Target("≤", _SHARE)),
    ]
