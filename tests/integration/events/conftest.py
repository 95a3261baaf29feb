"""A listener and a decider in this process, on a real broker: what handlers do is seen in the runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.broker.opening import open_broker
from engine.clock import SystemClock
from engine.config import Settings
from engine.decider.validate import check_workflow
from engine.handling.check import check_handler
from engine.model.execution import Workflow
from engine.services.decider import RoadService
from engine.services.listener import Listener
from engine.services.stopping import Stop
from engine.store.event_port import EventExecution, EventQuery
from engine.store.port import Store, WorkflowQuery
from engine.testing.memory_store import MemoryStore
from engine.wire.dead_letter import DeadLetter, read_dead
from engine.wire.message import DEAD_QUEUE

#: Seconds until what does not come is missed.
PATIENCE = 90.0

WAITING = {
    "name": "waiting",
    "tasks": [{"name": "w", "taskReferenceName": "w", "type": "WAIT", "inputParameters": {}}],
}
SHIP = {
    "name": "ship",
    "tasks": [{"name": "n", "taskReferenceName": "n", "type": "NOOP"}],
    "outputParameters": {"order": "${workflow.input.order}"},
}


def start_action(**given: Any) -> dict[str, Any]:
    return {"action": "start_workflow", "start_workflow": {"name": "ship", "input": {"order": "${id}"}, **given}}


class Site:
    """A system that listens; threads of it can be stopped and started."""

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        self.settings = settings
        self.store: Store = store or MemoryStore()
        self.outside = open_broker(settings.broker_url)
        self._stops: list[tuple[Stop, threading.Thread]] = []
        with self.store.transaction() as transaction:
            for document in (WAITING, SHIP):
                transaction.register_workflow(check_workflow(document), overwrite=True)

    def decide(self) -> None:
        """Start a decider."""
        stop = Stop()
        road = RoadService(
            self.store, open_broker(self.settings.broker_url), self.settings, stop, clock=SystemClock(), starter=False
        )
        self._run(stop, road.run)

    def listen(self) -> Stop:
        """Start a listener."""
        stop = Stop()
        listener = Listener(
            self.store, lambda: open_broker(self.settings.broker_url), self.settings, stop, clock=SystemClock()
        )
        self._run(stop, listener.run)
        return stop

    def handle(self, event: str, *actions: dict[str, Any], name: str = "on-event", **fields: Any) -> None:
        """Register an active handler, replacing one of that name."""
        written = {"name": name, "event": event, "active": True, "actions": actions or [start_action()], **fields}
        handler = check_handler(written)
        with self.store.transaction() as transaction:
            known = any(each.name == name for each in transaction.event_handlers())
            assert transaction.put_event_handler(handler, known=known)

    def executions(self, **query: Any) -> tuple[EventExecution, ...]:
        with self.store.transaction() as transaction:
            return transaction.event_executions(EventQuery(**query))

    def runs(self, name: str) -> tuple[Workflow, ...]:
        with self.store.transaction() as transaction:
            return transaction.find(WorkflowQuery(name=name))[1]

    def letters(self) -> list[DeadLetter]:
        return [read_dead(each.message) for each in self.outside.peek(DEAD_QUEUE, 100)]

    def until(self, what: Callable[[], Any]) -> Any:
        """Wait until something is there, and return it."""
        deadline = time.monotonic() + PATIENCE
        while not (found := what()):
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.05)
        return found

    def done(self, count: int, **query: Any) -> tuple[EventExecution, ...]:
        """Wait until so many executions are written down."""
        self.until(lambda: len(self.executions(**query)) >= count)
        return self.executions(**query)

    def _run(self, stop: Stop, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target)
        thread.start()
        self._stops.append((stop, thread))

    def close(self) -> None:
        for stop, _ in self._stops:
            stop.now()
        for _, thread in self._stops:
            thread.join()
        self._stops.clear()
        self.outside.close()


@pytest.fixture
def site_on() -> Iterator[Callable[..., Site]]:
    """Builds a site on a broker, with more settings; it runs until the test ends."""
    sites: list[Site] = []

    def build(broker_url: str, **settings: Any) -> Site:
        site = Site(Settings(broker_url=broker_url, partitions=1, **settings))
        sites.append(site)
        site.decide()
        site.listen()
        return site

    yield build
    for site in sites:
        site.close()
