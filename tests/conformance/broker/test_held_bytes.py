"""What a connection to RabbitMQ holds is bounded in bytes too, however many messages it may have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.broker.rabbitmq import RabbitBroker
from engine.wire.message import START_QUEUE, Delivery, Message, events_queue

MEGABYTE = 1024 * 1024
MOST = 4 * MEGABYTE
COUNT = 40

#: Seconds in which nothing comes that is on its way.
QUIET = 1.0


@pytest.fixture
def broker(rabbitmq_url: str) -> Iterator[RabbitBroker]:
    """Return a connection that may hold four megabytes; many large messages wait in two queues."""
    broker = RabbitBroker(rabbitmq_url, most_bytes=MOST)
    broker.declare_partitions(1)
    for queue in (START_QUEUE, events_queue(0)):
        for number in range(COUNT):
            broker.publish([Message(queue=queue, body=number.to_bytes(1) * MEGABYTE)])
    yield broker
    broker.close()


def numbers(deliveries: list[Delivery], queue: str) -> list[int]:
    return [each.message.body[0] for each in deliveries if each.queue == queue]


def everything(broker: RabbitBroker, wanted: int) -> list[Delivery]:
    """Take and ack until nothing comes; what is held at a time is never more than it may be."""
    found: list[Delivery] = []
    while len(found) < wanted:
        arrived = broker.receive(1_000, 20.0)
        assert arrived, f"only {len(found)} of {wanted} came"
        assert sum(len(each.message.body) for each in arrived) <= MOST
        broker.ack(arrived)
        found += arrived
    return found


def test_no_more_is_held_than_fits_and_everything_comes(broker: RabbitBroker) -> None:
    broker.consume(START_QUEUE, 1_000)
    broker.consume(events_queue(0), 1_000)
    found = everything(broker, 2 * COUNT)
    for queue in (START_QUEUE, events_queue(0)):
        assert sorted(numbers(found, queue)) == list(range(COUNT))


def test_what_is_not_acked_keeps_the_rest_in_the_queue(broker: RabbitBroker) -> None:
    broker.consume(START_QUEUE, 1_000)
    held = broker.receive(1_000, 20.0)
    while more := broker.receive(1_000, QUIET):
        held += more
    assert sum(len(each.message.body) for each in held) <= MOST
    assert (broker.ready(START_QUEUE) or 0) >= COUNT - MOST // MEGABYTE
    broker.ack(held)
    assert len(everything(broker, COUNT - len(held))) == COUNT - len(held)


def test_a_message_that_is_larger_than_all_the_room_is_taken_alone(broker: RabbitBroker) -> None:
    broker.publish([Message(queue="large", body=b"x" * 2 * MOST)])
    broker.consume("large", 10)
    (large,) = broker.receive(10, 20.0)
    assert len(large.message.body) == 2 * MOST


def test_a_paused_queue_can_be_left_for_good(broker: RabbitBroker) -> None:
    broker.consume(START_QUEUE, 1_000)
    held = broker.receive(1_000, 20.0)
    broker.cancel(START_QUEUE)
    broker.ack(held)
    while more := broker.receive(1_000, QUIET):
        held += more
        broker.ack(more)
    assert broker.ready(START_QUEUE) == COUNT - len(held)
