"""The brokers that all pass one suite, each with the means to break it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from engine.broker.memory import MemoryBroker
from engine.broker.port import Broker
from engine.broker.rabbitmq import RabbitBroker
from tests.conformance.broker.breakable_rabbitmq import BreakableRabbit


class Site(Protocol):
    """A broker as an operator sees it: opens connections, and can break them or delete queues."""

    def open(self) -> Broker:
        """Return a new connection."""
        ...

    def break_connections(self) -> None:
        """Have the server drop every connection; returns when that has been noticed by the server."""
        ...

    def delete_queue(self, name: str) -> None:
        """Delete a queue with what is in it."""
        ...


class MemorySite:
    """The broker inside the process."""

    def __init__(self) -> None:
        self._hub = MemoryBroker()

    def open(self) -> Broker:
        return self._hub.connect()

    def break_connections(self) -> None:
        self._hub.disconnect()

    def delete_queue(self, name: str) -> None:
        self._hub.delete_queue(name)


class RabbitSite:
    """A real RabbitMQ behind a gate that can cut the lines."""

    def __init__(self, rabbit: BreakableRabbit) -> None:
        self._rabbit = rabbit

    def open(self) -> Broker:
        return RabbitBroker(self._rabbit.url)

    def break_connections(self) -> None:
        self._rabbit.cut()

    def delete_queue(self, name: str) -> None:
        self._rabbit.delete_queue(name)


@pytest.fixture
def rabbit(rabbitmq_url: str) -> Iterator[BreakableRabbit]:
    rabbit = BreakableRabbit(rabbitmq_url)
    yield rabbit
    rabbit.close()


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=pytest.mark.servers)])
def site(request: pytest.FixtureRequest) -> Site:
    if request.param == "memory":
        return MemorySite()
    return RabbitSite(request.getfixturevalue("rabbit"))


@pytest.fixture
def open_broker(site: Site) -> Iterator[Callable[[], Broker]]:
    """Return a function that opens connections; they are closed when the test ends."""
    opened: list[Broker] = []

    def open_one() -> Broker:
        opened.append(site.open())
        return opened[-1]

    yield open_one
    for broker in opened:
        broker.close()


@pytest.fixture
def broker(open_broker: Callable[[], Broker]) -> Broker:
    return open_broker()


@pytest.fixture
def queue() -> str:
    """Return the name of a task queue of this test's own."""
    return f"task_{uuid.uuid4().hex[:8]}"
