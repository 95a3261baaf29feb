"""Bare Celery: the same empty tasks, sent to the same worker without any engine."""

from __future__ import annotations

import time

from benchmarks.cpu import Meter
from benchmarks.figure import Round
from benchmarks.stack import Stack
from benchmarks.worker import app_for

_PATIENCE = 300


class BareCelery:
    """Sends tasks to the benchmarks' worker with ``apply_async`` and collects their results over rpc."""

    def __init__(self, stack: Stack) -> None:
        self._app = app_for(stack.broker_url)

    def many(self, tasks: int, meter: Meter) -> Round:
        """Send so many at once and collect every result; return tasks a second, and CPU for each task."""
        meter.start()
        began = time.perf_counter()
        empty = self._app.tasks["empty"]
        results = [empty.apply_async() for _ in range(tasks)]
        for result in results:
            result.get(timeout=_PATIENCE)
        seconds = time.perf_counter() - began
        return Round(tasks / seconds, meter.milliseconds_for(tasks))

    def one_by_one(self, tasks: int, name: str = "empty", **arguments: object) -> list[float]:
        """Send one after the other, each when the one before has answered; return each round trip in milliseconds."""
        task, trips = self._app.tasks[name], []
        for _ in range(tasks):
            began = time.perf_counter()
            task.apply_async(kwargs=arguments).get(timeout=_PATIENCE)
            trips.append(1_000 * (time.perf_counter() - began))
        return trips

    def close(self) -> None:
        """Close the connections, which belong to this stack's broker."""
        self._app.close()
