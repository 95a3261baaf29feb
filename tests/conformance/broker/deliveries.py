"""Receiving with patience: what the tests of brokers say again and again."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.broker.port import Broker
from engine.wire.message import Delivery, Message

OpenBroker = Callable[[], Broker]

#: Seconds within which something that must happen does; generous, because the machine may be busy.
SOON = 60.0

#: Seconds after which something that must not happen counts as not happening.
NEVER = 0.3


def texts(deliveries: list[Delivery]) -> list[str]:
    return [delivery.message.body.decode() for delivery in deliveries]


def numbered(queue: str, count: int) -> list[Message]:
    return [Message(queue=queue, body=str(number).encode()) for number in range(count)]


def receive(broker: Broker, count: int) -> list[Delivery]:
    """Return exactly ``count`` deliveries."""
    deliveries: list[Delivery] = []
    deadline = time.monotonic() + SOON
    while len(deliveries) < count and time.monotonic() < deadline:
        deliveries += broker.receive(count - len(deliveries), SOON)
    assert len(deliveries) == count
    return deliveries


def eventually(question: Callable[[], bool]) -> None:
    """Ask until the answer is yes: servers count their queues a little later."""
    deadline = time.monotonic() + SOON
    while not question():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
