"""A decider on memory, whose loop runs in the thread of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.broker.memory import MemoryBroker, MemoryConnection
from engine.config import Settings
from engine.decider.validate import check_workflow
from engine.model.event import StartWorkflow
from engine.services.decider import RoadService
from engine.services.stopping import Stop
from engine.testing.clock import FixedClock
from engine.testing.memory_store import MemoryStore, MemoryTransaction
from engine.wire.dead_letter import read_dead
from engine.wire.message import DEAD_QUEUE, START_QUEUE, Delivery, Message
from engine.wire.start_message import encode_start

ONE_TASK = {"name": "one", "tasks": [{"name": "a", "taskReferenceName": "a", "type": "SIMPLE"}]}


class Line(MemoryConnection):
    """A line that notes what goes over it; ``when`` says what happens just before a call."""

    def __init__(self, hub: MemoryBroker) -> None:
        super().__init__(hub)
        self.calls: list[tuple[str, Any]] = []
        self.when: Callable[[str, Any], None] = lambda _call, _what: None

    def _note(self, call: str, what: Any) -> None:
        self.calls.append((call, what))
        self.when(call, what)

    def consume(self, queue: str, prefetch: int) -> None:
        self._note("consume", (queue, prefetch))
        super().consume(queue, prefetch)

    def cancel(self, queue: str) -> None:
        self._note("cancel", queue)
        super().cancel(queue)

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        found = super().receive(limit, 0)
        self._note("receive", len(found))
        return found

    def publish(self, messages: Sequence[Message]) -> None:
        self._note("publish", messages)
        super().publish(messages)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._note("ack", len(deliveries))
        super().ack(deliveries)

    def names(self) -> list[str]:
        """Return what was called, in order."""
        return [call for call, _ in self.calls]


class Quiet(Stop):
    """Sleeps without taking time."""

    def sleep(self, seconds: float) -> None:
        """Do not wait."""


class Site:
    """A decider on memory whose loop runs in this very thread until something stops it."""

    def __init__(self, *, starter: bool = False, **settings: Any) -> None:
        self.hub, self.store, self.clock, self.stop = MemoryBroker(), MemoryStore(), FixedClock(), Quiet()
        self.settings = Settings(**{"partitions": 4, **settings})
        self.line = Line(self.hub)
        self.service = RoadService(self.store, self.line, self.settings, self.stop, clock=self.clock, starter=starter)
        self.outside = self.hub.connect()
        self.outside.declare_partitions(4)
        with self.store.transaction() as transaction:
            transaction.register_workflow(check_workflow(ONE_TASK), overwrite=True)

    def starts(self, *identities: str, queue: str = START_QUEUE) -> None:
        """Publish the starts of runs."""
        asked = (StartWorkflow(event_id=f"start {each}", workflow_id=each, name="one") for each in identities)
        self.outside.publish([encode_start(start, queue) for start in asked])

    def stop_when_idle(self) -> None:
        """Have the loop end when it finds nothing to do."""
        before = self.line.when

        def when(call: str, what: Any) -> None:
            before(call, what)
            if call == "receive" and not what:
                self.stop.now()

        self.line.when = when

    def runs(self, *identities: str) -> list[str]:
        """Return those of these runs that are stored."""
        with self.store.transaction() as transaction:
            return [each for each in identities if each in transaction.load(identities)]

    def share(self, owner: str) -> tuple[int, ...]:
        """Let another decider ask for its share of the partitions."""
        with self.store.transaction() as transaction:
            return transaction.share_leases(owner, self.clock.now(), 15.0, 4)


def dead(site: Site) -> list[str]:
    return [read_dead(each.message).reason for each in site.outside.peek(DEAD_QUEUE, 100)]


def break_store(site: Site, happens: Callable[[], None]) -> None:
    site.line.when = lambda _call, _what: None

    @contextmanager
    def broken() -> Iterator[MemoryTransaction]:
        site.store.transaction = whole  # type: ignore[method-assign]
        happens()
        raise AssertionError
        yield

    whole = site.store.transaction
    site.store.transaction = broken  # type: ignore[method-assign]
