"""Who is woken when a message arrives in the in-memory broker: as few as take it, and nobody is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from engine.broker.memory import MemoryBroker, MemoryConnection
from engine.broker.memory_queue import MemoryQueue
from engine.broker.topology import queue as declared
from engine.wire.message import Delivery, Message

#: Seconds; a limit that is reached only where somebody was forgotten.
_PATIENCE = 30.0


class Colleague:
    """A consumer that notes when it is called."""

    def __init__(self, *, is_busy: bool = False) -> None:
        self.is_busy = is_busy
        self.calls = 0

    def wake(self, queue: MemoryQueue) -> bool:
        self.calls += not self.is_busy
        return not self.is_busy


def message(queue: str) -> Message:
    return Message(queue=queue, body=b"{}")


def queue_of(name: str, *consumers: Colleague) -> MemoryQueue:
    made = MemoryQueue(declared(name), None)
    made.consumers.extend(consumers)
    for _ in range(3):
        made.put(message(name))
    return made


@contextmanager
def waiting(*connections: MemoryConnection) -> Iterator[Sequence[Future[list[Delivery]]]]:
    """Have each connection wait for one message in a thread of its own."""
    with ThreadPoolExecutor(len(connections)) as threads:
        try:
            yield [threads.submit(each.receive, 1, _PATIENCE) for each in connections]
        finally:
            for each in connections:
                each.interrupt()


def test_only_one_is_called_and_none_who_is_busy() -> None:
    busy, first, second = Colleague(is_busy=True), Colleague(), Colleague()
    queue_of("resize", busy, first, second).call()
    assert (busy.calls, first.calls, second.calls) == (0, 1, 0)


def test_where_one_consumer_is_active_nobody_else_is_called() -> None:
    active, next_one = Colleague(is_busy=True), Colleague()
    queue_of("baton.events.0", active, next_one).call()
    assert next_one.calls == 0


def test_nobody_is_called_to_an_empty_queue() -> None:
    consumer = Colleague()
    queue = queue_of("resize", consumer)
    while queue.length:
        queue.pop()
    queue.call()
    assert consumer.calls == 0


@pytest.mark.parametrize("count", [2, 8])
def test_each_who_waits_gets_one_of_many_messages(count: int) -> None:
    hub = MemoryBroker()
    connections = [hub.connect() for _ in range(count)]
    for each in connections:
        each.consume("resize", 1)
    with waiting(*connections) as received:
        hub.connect().publish([message("resize")] * count)
        assert [len(each.result(_PATIENCE)) for each in received] == [1] * count


def test_who_was_called_and_finds_other_work_calls_the_next() -> None:
    hub = MemoryBroker()
    versatile, other, publisher = hub.connect(), hub.connect(), hub.connect()
    for queue in ("urgent", "resize"):
        versatile.consume(queue, 1)
    other.consume("resize", 1)
    with waiting(versatile, other) as received:
        # Nobody can look before both are there.
        with hub.lock:
            publisher.publish([message("resize")])
            publisher.publish([message("urgent")])
        assert {each.queue for future in received for each in future.result(_PATIENCE)} == {"resize", "urgent"}


def test_the_call_of_a_connection_that_breaks_goes_to_the_next() -> None:
    hub = MemoryBroker()
    first, second = hub.connect(), hub.connect()
    for each in (first, second):
        each.consume("resize", 1)
    with waiting(first, second) as (lost, received):
        with hub.lock:
            hub.connect().publish([message("resize")])
            first.close()
        assert len(received.result(_PATIENCE)) == 1
        assert lost.exception(_PATIENCE) is not None
