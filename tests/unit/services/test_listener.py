"""What readers do with messages that nobody wants any more, and with those that make the reactor fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.broker.opening_sources import EngineQueue
from engine.clock import SystemClock
from engine.config import Settings
from engine.decider.validate import check_workflow
from engine.errors import StoreUnavailable
from engine.handling.check import check_handler
from engine.model.event_handler import EventHandler
from engine.services.decider import RoadService
from engine.services.listener import Reader
from engine.services.reactor import Arrival, Reactor
from engine.services.stopping import Stop
from engine.store.event_port import EventQuery
from engine.testing.memory_store import MemoryStore
from engine.wire.dead_letter import DeadLetter, read_dead
from engine.wire.message import DEAD_QUEUE, SINK_QUEUE, Delivery, Message

ADDRESS = "amqp_queue:orders"


class Site:
    """A reactor on a store and broker in memory, with a decider behind it."""

    def __init__(self) -> None:
        self.hub = MemoryBroker()
        self.outside = self.hub.connect()
        self.store = MemoryStore()
        self.settings = Settings(partitions=1, broker_url="memory://")
        self.requester = Requester(self.hub.connect, 1)
        self.reactor = Reactor(self.store, self.requester, self.settings, SystemClock())
        self._stop = Stop()
        road = RoadService(
            self.store, self.hub.connect(), self.settings, self._stop, clock=SystemClock(), starter=False
        )
        self._thread = threading.Thread(target=road.run)
        with self.store.transaction() as transaction:
            document = {"name": "ship", "tasks": [{"name": "n", "taskReferenceName": "n", "type": "NOOP"}]}
            transaction.register_workflow(check_workflow(document), overwrite=True)

    def start(self) -> None:
        self.requester.start()
        self._thread.start()

    def close(self) -> None:
        self._stop.now()
        self._thread.join()
        self.requester.close()

    def put(self, *, active: bool, workflow: str = "ship") -> EventHandler:
        start = {"action": "start_workflow", "start_workflow": {"name": workflow}}
        handler = check_handler({"name": "h", "event": ADDRESS, "active": active, "actions": [start]})
        with self.store.transaction() as transaction:
            known = bool(transaction.event_handlers())
            transaction.put_event_handler(handler, known=known)
        return handler

    def letters(self) -> list[DeadLetter]:
        return [read_dead(each.message) for each in self.outside.peek(DEAD_QUEUE, 100)]

    def statuses(self) -> dict[str, str]:
        with self.store.transaction() as transaction:
            return {each.message_id: each.status for each in transaction.event_executions(EventQuery())}


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    site.start()
    yield site
    site.close()


def arrival(identity: str, body: bytes = b"{}", queue: str = "orders", **headers: str) -> Arrival:
    message = Message(queue=queue, body=body, headers=headers, message_id=identity)
    return Arrival(delivery=Delivery(message=message, queue=queue), message_id=identity)


def test_messages_stay_where_they_are_once_nobody_listens(site: Site) -> None:
    site.put(active=False)
    assert not site.reactor.carry(ADDRESS, [arrival("m-1")])
    site.outside.publish([Message(queue="orders", body=b"{}", message_id="m-1")])
    reader = Reader(ADDRESS, EngineQueue(site.hub.connect, "orders"), site.reactor)
    reader.start()
    reader.join(60)
    assert not reader.is_alive
    assert site.outside.ready("orders") == 1
    assert site.statuses() == {}


def test_a_message_that_makes_the_listener_fail_is_buried_and_the_others_are_carried(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put(active=True)
    failing(monkeypatch, site, ValueError("a fault of ours"))
    read(site, "bad", "good")
    assert site.statuses() == {"good": "COMPLETED"}
    (letter,) = site.letters()
    assert "ValueError: a fault of ours" in letter.reason
    assert letter.message.headers["event"] == ADDRESS
    assert str(letter.message.message_id).startswith("bad+")


def test_a_database_that_is_away_is_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put(active=True)
    failing(monkeypatch, site, StoreUnavailable("away"), times=3)
    read(site, "bad", "good")
    assert site.statuses() == {"bad": "COMPLETED", "good": "COMPLETED"}
    assert site.letters() == []


def test_a_failure_sent_back_for_a_handler_that_is_gone_is_kept(site: Site) -> None:
    assert site.reactor.carry(None, [arrival("m+1", queue=SINK_QUEUE, event=ADDRESS, handler="h", actions="0")])
    assert "h of amqp_queue:orders is gone or not active" in site.letters()[0].reason
    assert site.letters()[0].message.headers["handler"] == "h"


def test_an_announcement_without_an_event_is_a_dead_letter_and_one_without_a_handler_is_none(site: Site) -> None:
    assert site.reactor.carry(
        None, [arrival("m-1", queue=SINK_QUEUE), arrival("m-2", queue=SINK_QUEUE, event="conductor:a:b")]
    )
    (letter,) = site.letters()
    assert "says no event" in letter.reason


def failing(monkeypatch: pytest.MonkeyPatch, site: Site, error: Exception, times: int = 1_000) -> None:
    """Let the reactor fail whenever the message ``bad`` is among those that it is given, so many times."""
    carry, left = site.reactor.carry, [error] * times

    def fail(identity: str | None, arrivals: list[Arrival]) -> bool:
        if left and any(each.message_id == "bad" for each in arrivals):
            raise left.pop()
        return carry(identity, arrivals)

    monkeypatch.setattr(site.reactor, "carry", fail)


def read(site: Site, *identities: str) -> None:
    """Have messages read until their queue is empty."""
    site.outside.publish([Message(queue="orders", body=b"{}", message_id=each) for each in identities])
    reader = Reader(ADDRESS, EngineQueue(site.hub.connect, "orders"), site.reactor)
    reader.start()
    _until(lambda: site.outside.ready("orders") == 0 and len(site.statuses()) + len(site.letters()) == len(identities))
    reader.stop()
    reader.join(60)
    assert site.outside.ready("orders") == 0


def _until(what: Callable[[], bool]) -> None:
    passed = threading.Event()
    for _ in range(400):
        if what():
            return
        passed.wait(0.05)
    pytest.fail("it did not come")
