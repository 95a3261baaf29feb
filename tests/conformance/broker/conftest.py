"""The brokers that all pass one suite, each with the means to break it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

import pika
import pytest

from engine.broker.memory import MemoryBroker
from engine.broker.port import Broker
from engine.broker.rabbitmq import RabbitBroker
from tests.tcp_proxy import TcpProxy


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
    """A real RabbitMQ behind a proxy that can cut the lines."""

    def __init__(self, url: str, proxy: TcpProxy) -> None:
        self._url = url
        self._proxy = proxy

    def open(self) -> Broker:
        return RabbitBroker(self._proxy.url)

    def break_connections(self) -> None:
        self._proxy.cut()

    def delete_queue(self, name: str) -> None:
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            connection.channel().queue_delete(name)


@pytest.fixture
def rabbit(rabbitmq_url: str) -> Iterator[RabbitSite]:
    proxy = TcpProxy(rabbitmq_url, 5672)
    yield RabbitSite(rabbitmq_url, proxy)
    proxy.close()


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=pytest.mark.servers)])
def site(request: pytest.FixtureRequest) -> Site:
    if request.param == "memory":
        return MemorySite()
    found: RabbitSite = request.getfixturevalue("rabbit")
    return found


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
