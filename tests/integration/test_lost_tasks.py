"""A queue that somebody has purged or deleted is noticed by what RabbitMQ says that it holds, and filled again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlsplit

import httpx
import pytest

from deploy.endpoint import Servers
from engine.broker.management import Management
from engine.broker.opening import open_broker
from engine.clock import SystemClock
from engine.errors import BrokerUnavailable
from engine.services.lost_tasks import LostTasks
from tests.integration.workers.driven_road import PATIENCE, Engine

#: Seconds; RabbitMQ itself counts every five.
INTERVAL = 0.2


class Site:
    """A road, somebody who looks for lost tasks beside it, and RabbitMQ's HTTP API."""

    def __init__(self, broker_url: str, management_url: str) -> None:
        self.broker_url = broker_url
        self.engine = Engine(open_broker(broker_url))
        self.totals = Management(management_url, broker_url).totals
        self._other = open_broker(broker_url)
        management = Management(management_url, broker_url)
        self._lost = LostTasks(self.engine.store, self._other, management, SystemClock(), 1, INTERVAL)
        vhost = urlsplit(broker_url).path[1:]
        self.queues = f"{management_url}/api/queues/{vhost if '%' in vhost else quote(vhost, safe='')}"

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
        """Wait until RabbitMQ says that a queue holds so many messages."""
        deadline = time.monotonic() + PATIENCE
        while self.totals().get(queue) != count:
            assert time.monotonic() < deadline, f"{queue} is said to hold {self.totals().get(queue)}, not {count}"
            self.engine.broker.receive(1, 0.1)

    def close(self) -> None:
        self.engine.broker.close()
        self._other.close()


@pytest.fixture
def site(servers: Servers, rabbitmq_url: str) -> Iterator[Site]:
    site = Site(rabbitmq_url, servers.management_url)
    yield site
    site.close()


def test_a_purged_queue_is_filled_again_and_only_with_its_own_tasks(site: Site) -> None:
    for run in ("one", "two"):
        site.engine.run(run, "resize")
    site.engine.run("other", "print")
    site.counted("resize", 2)
    httpx.delete(f"{site.queues}/resize/contents").raise_for_status()
    woken = site.look_until(lambda: site.engine.broker.ready("resize") == 2)
    assert woken == 2
    assert site.engine.broker.ready("print") == 1


def test_a_deleted_queue_is_made_and_filled_again(site: Site) -> None:
    site.engine.run("one", "resize")
    site.counted("resize", 1)
    httpx.delete(f"{site.queues}/resize").raise_for_status()
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
