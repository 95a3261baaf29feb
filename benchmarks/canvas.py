"""canvas: what people write by hand, ``celery.chain`` and ``celery.chord`` with results in Redis, beside workflows."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import celery

from benchmarks import chain, fan_out
from benchmarks.canvas_worker import QUEUE, RESULTS_VARIABLE
from benchmarks.cpu import Meter, serving
from benchmarks.figure import Figure, Round, Target
from benchmarks.runs import Runs
from benchmarks.scope import Scope
from benchmarks.worker import app_for
from deploy.servers import provided

_PATIENCE = 300

#: Workers of both sides take so many messages for each thread.
_PREFETCH = 16


class Canvas:
    """Sends chains and chords of the empty task and waits for the last result."""

    def __init__(self, broker_url: str, results_url: str) -> None:
        self._app = app_for(broker_url, results_url, QUEUE)

    def chains(self, count: int) -> None:
        """Run so many chains at once."""
        empty = self._app.tasks["empty"]
        begun = [celery.chain(*(empty.si() for _ in range(chain.STEPS)), app=self._app)() for _ in range(count)]
        for each in begun:
            each.get(timeout=_PATIENCE)

    def chord(self, size: int) -> None:
        """Run one chord with so many tasks in its header."""
        empty = self._app.tasks["empty"]
        celery.chord((empty.si() for _ in range(size)), empty.si(), app=self._app)().get(timeout=_PATIENCE)

    def close(self) -> None:
        """Close the connections."""
        self._app.close()


def measure(scope: Scope) -> list[Figure]:
    """Measure chains and one fan-out, each side with a worker of its own that idles while the other's works."""
    stack = scope.stack
    chains, size = scope.at_most(200, quick=20), scope.at_most(2_000, quick=200)
    sides: dict[str, list[Round]] = {"chains": [], "canvas chains": [], "fan-out": [], "chord": []}
    with (
        provided(("redis",), private=True) as servers,
        stack.decider() as decider,
        stack.worker(_PREFETCH) as worker,
        stack.worker(_PREFETCH, "benchmarks.canvas_worker", QUEUE, {RESULTS_VARIABLE: servers["redis"].url}) as other,
    ):
        ours = Meter({"decider": [decider], "worker": [worker], **stack.server_processes()})
        theirs = Meter(
            {
                "worker": [other],
                "redis": serving(urlsplit(servers["redis"].url).port or 6379),
                **stack.server_processes(),
            }
        )
        canvas = Canvas(stack.broker_url, servers["redis"].url)
        runs, forks = Runs(stack, chain.definition()), Runs(stack, fan_out.definition("empty"))
        for number in range(scope.rounds + 1):
            tasks = chains * chain.STEPS
            sides["canvas chains"].append(_rate(lambda: canvas.chains(chains), tasks, theirs))
            sides["chains"].append(runs.all_of([{}] * chains, ours, tasks))
            sides["chord"].append(_seconds(_rate(lambda: canvas.chord(size), size, theirs), size))
            sides["fan-out"].append(_seconds(forks.all_of([{"branches": [{}] * size}], ours, size), size))
            scope.tell(
                f"canvas, round {number}: " + ", ".join(f"{name} {all_[-1].value:,.4g}" for name, all_ in sides.items())
            )
        for each in (runs, forks, canvas):
            each.close()
    counted = {name: rounds[1:] for name, rounds in sides.items()}
    return [
        Figure(
            "canvas: chains", "tasks/s", counted["chains"], counted["canvas chains"], Target("≥", 1.2, of_ratio=True)
        ),
        Figure(f"canvas: {size:,} at once", "s", counted["fan-out"], counted["chord"], Target("≤", 0.5, of_ratio=True)),
    ]


def _rate(work: Callable[[], None], tasks: int, meter: Meter) -> Round:
    meter.start()
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    return Round(tasks / seconds, meter.milliseconds_for(tasks))


def _seconds(rate: Round, tasks: int) -> Round:
    return Round(tasks / rate.value, rate.cpu_ms)
