"""Route of the figures that Prometheus collects: runs, open tasks, queues, and how far the deciders are behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from fastapi import APIRouter
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from starlette.responses import Response

import engine
from engine.api.requester import Requester
from engine.broker.port import Broker
from engine.clock import SECOND, Clock
from engine.errors import BatonError
from engine.log import get_logger
from engine.store.port import Store
from engine.wire.message import DEAD_QUEUE, START_QUEUE, events_queue

_log = get_logger(__name__)

_T = TypeVar("_T")

#: Seconds for which counts are given out again: each counts every run, and many may collect.
_FRESH_SECONDS: Final = 10.0

#: Queues that are asked for their length; each is a question to the broker.
_MOST_QUEUES: Final = 500


class _Counts(Struct, frozen=True, kw_only=True):
    """What the database says: runs by status, open tasks by queue and status, and the seconds of the oldest wake-up."""

    runs: dict[str, int]
    tasks: dict[str, dict[str, int]]
    queues: tuple[str, ...]
    wake_lag_seconds: float


class _Depths(Struct, frozen=True, kw_only=True):
    """What the broker says: messages that wait, by queue."""

    ready: dict[str, int]


def metrics_routes(store: Store, requester: Requester, clock: Clock) -> APIRouter:
    """Return the route; what cannot be reached is left out, and the figure ``baton_up`` says so."""
    router = APIRouter(tags=["server"])
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(store, requester, clock))

    @router.get("/metrics")
    @router.get("/actuator/prometheus")
    def metrics() -> Response:
        """Give the figures in Prometheus' text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


class _Figures:
    """Collects the figures, at most once in ten seconds."""

    def __init__(self, store: Store, requester: Requester, clock: Clock) -> None:
        self._store = store
        self._requester = requester
        self._clock = clock
        self._lock = threading.Lock()
        self._taken_at = 0.0
        self._figures: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """Yield the figures, as prometheus_client asks for them."""
        with self._lock:
            if not self._figures or time.monotonic() - self._taken_at > _FRESH_SECONDS:
                self._figures = list(self._taken())
                self._taken_at = time.monotonic()
            yield from self._figures

    def _taken(self) -> Iterator[Metric]:
        yield InfoMetricFamily("baton", "The version of this server.", {"version": engine.__version__})
        counts = _or_none("database", self._counted)
        depths = _or_none("broker", lambda: self._requester.with_broker(lambda broker: self._measured(broker, counts)))
        up = GaugeMetricFamily("baton_up", "Whether this server reaches its database and its broker.", labels=["part"])
        up.add_metric(["database"], counts is not None)
        up.add_metric(["broker"], depths is not None)
        yield up
        if counts is not None:
            yield from _of_database(counts)
        if depths is not None:
            yield _of_queues(depths)

    def _counted(self) -> _Counts:
        with self._store.transaction() as tx:
            found = tx.statistics()
            queues, ring = tx.queue_names(), tx.next_ring()
        lag = 0.0 if ring is None else max(0.0, (self._clock.now() - ring) / SECOND)
        return _Counts(runs=found["workflows"], tasks=found["tasks"], queues=queues, wake_lag_seconds=lag)

    def _measured(self, broker: Broker, counts: _Counts | None) -> _Depths:
        ours = [START_QUEUE, DEAD_QUEUE, *map(events_queue, range(self._requester.partitions))]
        queues = [*ours, *(() if counts is None else counts.queues[:_MOST_QUEUES])]
        lengths = ((queue, broker.ready(queue)) for queue in queues)
        return _Depths(ready={queue: length for queue, length in lengths if length is not None})


def _or_none(part: str, ask: Callable[[], _T]) -> _T | None:
    try:
        return ask()
    except BatonError as error:
        _log.warning("metrics.unreached", part=part, reason=str(error))
        return None


def _of_database(counts: _Counts) -> Iterator[Metric]:
    runs = GaugeMetricFamily("baton_workflows", "Runs in the database, by status.", labels=["status"])
    for status, number in sorted(counts.runs.items()):
        runs.add_metric([status], number)
    yield runs
    tasks = GaugeMetricFamily("baton_open_tasks", "Open tasks of open runs.", labels=["queue", "status"])
    for queue, by_status in sorted(counts.tasks.items()):
        for status, number in sorted(by_status.items()):
            tasks.add_metric([queue, status], number)
    yield tasks
    yield GaugeMetricFamily(
        "baton_wake_lag_seconds",
        "How long the earliest date of any run has passed without an answer of a decider.",
        value=counts.wake_lag_seconds,
    )


def _of_queues(depths: _Depths) -> Metric:
    ready = GaugeMetricFamily("baton_queue_ready", "Messages that wait in a queue.", labels=["queue"])
    for queue, number in sorted(depths.ready.items()):
        ready.add_metric([queue], number)
    return ready
