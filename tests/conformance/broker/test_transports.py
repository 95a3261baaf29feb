"""What a broker reached through kombu promises: less than RabbitMQ, but never a lost message."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.broker.port import Broker
from engine.broker.transports import KombuBroker
from engine.errors import BadConfiguration, BrokerUnavailable
from engine.wire.celery_control import CONTROL_EXCHANGE, decode_revoke, encode_revoke
from engine.wire.message import DEAD_QUEUE, STATUS_EXCHANGE, Delivery, Message, events_queue


@pytest.fixture(params=["memory", "database"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    broker = KombuBroker("memory://" if request.param == "memory" else f"sqla+sqlite:///{tmp_path}/messages.db")
    yield broker
    broker.close()


@pytest.fixture
def queue() -> str:
    return f"task_{uuid.uuid4().hex[:8]}"


def texts(deliveries: list[Delivery]) -> list[str]:
    return sorted(delivery.message.body.decode() for delivery in deliveries)


def receive(broker: Broker, count: int) -> list[Delivery]:
    deliveries: list[Delivery] = []
    deadline = time.monotonic() + 60
    while len(deliveries) < count and time.monotonic() < deadline:
        deliveries += broker.receive(count - len(deliveries), 5)
    return deliveries


def test_a_message_arrives_as_it_was_sent(broker: Broker, queue: str) -> None:
    message = Message(
        queue=queue,
        body=b"[[], {}, {}]",
        headers={"task": "resize", "timelimit": [None, 2.5]},
        message_id="m1",
        correlation_id="w1",
        reply_to=events_queue(3),
        priority=4,
    )
    broker.publish([message])
    broker.consume(queue, 10)

    [delivery] = receive(broker, 1)

    assert delivery.message == message
    assert not delivery.redelivered


def test_what_is_acked_is_gone_and_what_is_not_comes_again(broker: Broker, queue: str) -> None:
    broker.publish([Message(queue=queue, body=f"{number}".encode()) for number in range(4)])
    broker.consume(queue, 10)
    deliveries = receive(broker, 4)
    broker.ack([item for item in deliveries if item.message.body in (b"0", b"2")])
    broker.reject([item for item in deliveries if item.message.body == b"1"])

    broker.reconnect()

    again = receive(broker, 2)
    assert texts(again) == ["1", "3"]
    assert all(item.redelivered for item in again)
    broker.ack(deliveries)
    assert broker.receive(10, 0.1) == []


def test_no_more_than_the_prefetch_is_unacked(broker: Broker, queue: str) -> None:
    broker.publish([Message(queue=queue, body=b"1") for _ in range(5)])
    broker.consume(queue, 2)

    first = receive(broker, 2)

    assert broker.receive(10, 0.1) == []
    assert broker.ready(queue) == 3
    broker.ack(first)
    assert len(receive(broker, 2)) == 2


def test_cancelling_leaves_the_rest_in_the_queue(broker: Broker, queue: str) -> None:
    broker.publish([Message(queue=queue, body=f"{number}".encode()) for number in range(4)])
    broker.consume(queue, 10)
    received = receive(broker, 1)

    broker.cancel(queue)
    broker.ack(received)

    assert broker.receive(10, 0.1) == []
    assert broker.ready(queue) == 3


def test_interrupt_ends_a_waiting_receive(broker: Broker, queue: str) -> None:
    broker.consume(queue, 10)
    started = time.monotonic()
    threading.Timer(0.1, broker.interrupt).start()

    assert broker.receive(10, 60) == []

    assert time.monotonic() - started < 30


def test_a_listener_gets_what_its_patterns_match() -> None:
    broker = KombuBroker("memory://")
    broker.subscribe("workflow.COMPLETED.#", "listener")
    broker.consume("listener", 10)
    keys = ["workflow.COMPLETED.a.b", "workflow.FAILED.a"]

    broker.publish([Message(exchange=STATUS_EXCHANGE, queue=key, body=key.encode()) for key in keys])

    assert texts(receive(broker, 1)) == ["workflow.COMPLETED.a.b"]
    assert broker.receive(10, 0.1) == []
    broker.close()


def test_the_control_of_workers_is_broadcast() -> None:
    broker = KombuBroker("memory://")
    for name in ("ear_1", "ear_2"):
        broker.subscribe("#", name, CONTROL_EXCHANGE)
        broker.consume(name, 10)

    broker.publish([encode_revoke("run.1")])

    assert [decode_revoke(item.message) for item in receive(broker, 2)] == ["run.1", "run.1"]
    broker.close()


def test_a_revoke_that_a_transport_cannot_broadcast_is_no_fault(broker: Broker) -> None:
    broker.publish([encode_revoke("run.1")])


def test_dead_letters_are_looked_at_and_taken_by_their_id(broker: Broker) -> None:
    broker.publish([Message(queue=DEAD_QUEUE, body=f"{n}".encode(), message_id=f"m{n}") for n in range(3)])

    assert texts(broker.peek(DEAD_QUEUE, 10)) == ["0", "1", "2"]
    taken = broker.take(DEAD_QUEUE, "m1")

    assert taken is not None
    broker.ack([taken])
    assert texts(broker.peek(DEAD_QUEUE, 10)) == ["0", "2"]
    broker.ack([letter for n in (0, 2) if (letter := broker.take(DEAD_QUEUE, f"m{n}"))])


def test_a_server_that_is_not_there_is_reported() -> None:
    broker = KombuBroker("redis://127.0.0.1:1/0")

    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1"):
        broker.publish([Message(queue="q", body=b"1")])


def test_an_unknown_transport_is_a_wrong_setting() -> None:
    with pytest.raises(BadConfiguration, match="pigeon"):
        KombuBroker("pigeon://post")
