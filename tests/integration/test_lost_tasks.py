"""A queue that somebody has purged or deleted is noticed by what the broker says that it holds, and filled again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol
from urllib.parse import quote, urlsplit

import httpx
import kombu
import pytest
import redis

from deploy.endpoint import Servers
from engine.broker.management import Management
from engine.broker.opening import open_broker, open_census
from engine.broker.redis_envelope import STEPS
from engine.broker.redis_scripts import QUEUES
from engine.clock import SystemClock
from engine.errors import BrokerUnavailable
from engine.services.lost_tasks import LostTasks
from engine.wire.message import Message
from tests.integration.workers.driven_road import PATIENCE, Engine

#: Seconds; RabbitMQ itself counts every five.
INTERVAL = 0.2


class Operator(Protocol):
    """Somebody who does to queues what nobody should."""

    def purge(self, queue: str) -> None:
        """Throw away the messages of a queue."""
        ...

    def delete(self, queue: str) -> None:
        """Delete a queue."""
        ...


class RabbitOperator:
    """Uses RabbitMQ's HTTP API."""

    def __init__(self, broker_url: str, management_url: str) -> None:
        vhost = urlsplit(broker_url).path[1:]
        self._queues = f"{management_url}/api/queues/{vhost if '%' in vhost else quote(vhost, safe='')}"

    def purge(self, queue: str) -> None:
        httpx.delete(f"{self._queues}/{queue}/contents").raise_for_status()

    def delete(self, queue: str) -> None:
        httpx.delete(f"{self._queues}/{queue}").raise_for_status()


class RedisOperator:
    """Uses Redis' own commands."""

    def __init__(self, broker_url: str) -> None:
        self._redis = redis.Redis.from_url(broker_url)

    def purge(self, queue: str) -> None:
        self._redis.delete(*(queue + step for step in STEPS))

    def delete(self, queue: str) -> None:
        self.purge(queue)
        self._redis.srem(QUEUES, queue)


class Site:
    """A road, and somebody who looks for lost tasks beside it."""

    def __init__(self, broker_url: str, management_url: str | None, operator: Operator) -> None:
        self.broker_url = broker_url
        self.operator = operator
        self.engine = Engine(open_broker(broker_url))
        census = open_census(broker_url, management_url)
        assert census is not None
        self.totals = census.totals
        self._other = open_broker(broker_url)
        self._lost = LostTasks(self.engine.store, self._other, census, SystemClock(), 1, INTERVAL)

    def look_until(self, reached: Callable[[], bool]) -> int:
        """Look for lost tasks again and again, the road going on meanwhile; return how many runs were woken."""
        woken = 0

        def look() -> bool:
            nonlocal woken
            woken += self._lost.look()
            return reached()

        self.engine.carry_until(look)
        return woken

    def looks(self, count: int) -> int:
        """Look so many times; return how many runs were woken."""
        done = 0

        def enough() -> bool:
            nonlocal done
            done += 1
            return done > count

        return self.look_until(enough)

    def counted(self, queue: str, count: int) -> None:
        """Wait until the broker says that a queue holds so many messages."""
        deadline = time.monotonic() + PATIENCE
        while self.totals().get(queue) != count:
            assert time.monotonic() < deadline, f"{queue} is said to hold {self.totals().get(queue)}, not {count}"
            self.engine.broker.receive(1, 0.1)

    def close(self) -> None:
        self.engine.broker.close()
        self._other.close()


@pytest.fixture
def rabbitmq_site(servers: Servers, rabbitmq_url: str) -> Iterator[Site]:
    assert servers.management_url, "enable rabbitmq_management"
    site = Site(rabbitmq_url, servers.management_url, RabbitOperator(rabbitmq_url, servers.management_url))
    yield site
    site.close()


@pytest.fixture
def redis_site(redis_url: str) -> Iterator[Site]:
    site = Site(redis_url, None, RedisOperator(redis_url))
    yield site
    site.close()


@pytest.fixture(
    params=[
        pytest.param("rabbitmq", marks=pytest.mark.servers("rabbitmq", "postgres")),
        pytest.param("redis", marks=pytest.mark.servers("redis")),
    ]
)
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


def test_a_purged_queue_is_filled_again_and_only_with_its_own_tasks(site: Site) -> None:
    for run in ("one", "two"):
        site.engine.run(run, "resize")
    site.engine.run("other", "print")
    site.counted("resize", 2)
    site.operator.purge("resize")
    woken = site.look_until(lambda: site.engine.broker.ready("resize") == 2)
    assert woken == 2
    assert site.engine.broker.ready("print") == 1


def test_a_deleted_queue_is_made_and_filled_again(site: Site) -> None:
    site.engine.run("one", "resize")
    site.counted("resize", 1)
    site.operator.delete("resize")
    site.look_until(lambda: site.engine.broker.ready("resize") == 1)


def test_a_backlog_and_what_a_worker_has_in_hand_are_no_loss(site: Site) -> None:
    for run in ("one", "two", "three"):
        site.engine.run(run, "resize")
    worker = open_broker(site.broker_url)
    worker.consume("resize", 2)
    assert len(worker.receive(10, PATIENCE)) >= 1
    site.counted("resize", 3)
    assert site.looks(30) == 0
    worker.close()


def test_a_management_plugin_that_does_not_answer_is_no_evidence(rabbitmq_url: str) -> None:
    with pytest.raises(BrokerUnavailable, match="HTTP API at http"):
        Management("http://127.0.0.1:9", rabbitmq_url).totals()


def test_what_workers_have_taken_by_kombu_is_counted_at_its_queue(redis_url: str) -> None:
    broker, census = open_broker(redis_url), open_census(redis_url, None)
    assert census is not None
    broker.publish([Message(queue="resize", body=b"[]", priority=priority) for priority in (0, 5, 9)])
    with kombu.Connection(redis_url) as connection:
        held: list[object] = []
        with connection.Consumer([kombu.Queue("resize")], on_message=held.append) as consumer:
            consumer.qos(prefetch_count=2)
            while len(held) < 2:
                connection.drain_events(timeout=PATIENCE)

            assert census.totals()["resize"] == 3
    broker.close()


def test_a_redis_that_does_not_answer_is_no_evidence() -> None:
    census = open_census("redis://127.0.0.1:1/0", None)
    assert census is not None
    with pytest.raises(BrokerUnavailable, match="Redis"):
        census.totals()
