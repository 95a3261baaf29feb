"""The brokers that all pass one suite, each with the means to break it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

import pika
import pytest
import redis

from engine.broker.memory import MemoryBroker
from engine.broker.port import Broker
from engine.broker.rabbitmq import RabbitBroker
from engine.broker.redis import RedisBroker
from engine.broker.redis_envelope import STEPS
from engine.broker.topology import TaskQueueType
from tests.tcp_proxy import TcpProxy


class Site(Protocol):
    """A broker as an operator sees it: opens connections, and can break them or delete queues."""

    #: Whether urgent messages overtake others in task queues.
    priorities: bool

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

    priorities = True

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

    def __init__(self, url: str, proxy: TcpProxy, task_queues: TaskQueueType) -> None:
        self._url = url
        self._proxy = proxy
        self._task_queues = task_queues
        self.priorities = task_queues is TaskQueueType.CLASSIC

    def open(self) -> Broker:
        return RabbitBroker(self._proxy.url, task_queues=self._task_queues)

    def break_connections(self) -> None:
        self._proxy.cut()

    def delete_queue(self, name: str) -> None:
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            connection.channel().queue_delete(name)


class RedisSite:
    """A real Redis behind a proxy that can cut the lines."""

    priorities = True

    def __init__(self, url: str, proxy: TcpProxy) -> None:
        self._url = url
        self._proxy = proxy

    def open(self) -> Broker:
        return RedisBroker(self._proxy.url)

    def break_connections(self) -> None:
        self._proxy.cut()

    def delete_queue(self, name: str) -> None:
        with redis.Redis.from_url(self._url) as client:
            client.delete(*(name + step for step in STEPS))


@pytest.fixture
def memory_site() -> Site:
    return MemorySite()


def _rabbit_site(url: str, task_queues: TaskQueueType) -> Iterator[Site]:
    proxy = TcpProxy(url, 5672)
    yield RabbitSite(url, proxy, task_queues)
    proxy.close()


@pytest.fixture
def classic_site(rabbitmq_url: str) -> Iterator[Site]:
    yield from _rabbit_site(rabbitmq_url, TaskQueueType.CLASSIC)


@pytest.fixture
def quorum_site(rabbitmq_url: str) -> Iterator[Site]:
    yield from _rabbit_site(rabbitmq_url, TaskQueueType.QUORUM)


@pytest.fixture
def redis_site(redis_url: str) -> Iterator[Site]:
    proxy = TcpProxy(redis_url, 6379)
    yield RedisSite(redis_url, proxy)
    proxy.close()


@pytest.fixture(
    params=[
        "memory",
        pytest.param("classic", marks=pytest.mark.servers("rabbitmq", "postgres")),
        pytest.param("quorum", marks=pytest.mark.servers("rabbitmq", "postgres")),
        pytest.param("redis", marks=pytest.mark.servers("redis")),
    ]
)
def site(request: pytest.FixtureRequest) -> Site:
    """Return each broker in turn, RabbitMQ with either kind of task queues."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
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
