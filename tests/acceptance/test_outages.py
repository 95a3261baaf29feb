"""Processes that are told to stop finish what they have begun; servers that are away are waited for."""

from __future__ import annotations

from collections.abc import Iterator

import pika
import pytest

from deploy.endpoint import Servers
from engine.broker.topology import MARKER_QUEUE
from engine.wire.message import DEAD_QUEUE, START_QUEUE, events_queue
from tests.acceptance.conftest import own_servers
from tests.acceptance.gated import Gated, chains_end_well, define_chain, start_chains, under_way
from tests.acceptance.processes import PATIENCE, until
from tests.acceptance.stack import HASTE, Stack, simple, task_def, vanilla, workflow


@pytest.fixture(scope="module")
def gated(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    folder = tmp_path_factory.mktemp("gated")
    with own_servers(servers) as (database_url, broker_url), Gated.running(folder, database_url, broker_url) as gated:
        yield gated


def test_a_decider_that_is_told_to_stop_ends_in_time_and_others_finish_the_work(small: Stack) -> None:
    define_chain(small)
    # Given two deciders, each with partitions of its own, and much to do.
    leaving = small.baton("decider")
    leaving.says("partitions.shared")
    runs = start_chains(small, 40)
    under_way(small, runs)
    # When one is told to stop.
    leaving.ask_to_stop()
    # Then it ends of its own will, within its time, and nothing is left undone.
    assert leaving.wait(PATIENCE) == 0
    assert "service.stopped" in leaving.log()
    chains_end_well(small, runs)


@pytest.mark.parametrize("what", ["broker", "database", "both"])
def test_a_server_that_goes_away_in_the_middle_is_waited_for(gated: Gated, what: str) -> None:
    ways = (("broker", gated.broker), ("database", gated.database))
    proxies = [proxy for name, proxy in ways if what in (name, "both")]
    gated.stack.healthy()
    # Given work in the middle.
    runs = gated.chains(15)
    gated.are_under_way(runs)
    # When a server goes away, and the services have noticed.
    for proxy in proxies:
        proxy.shut()
    until("the services miss a server", gated.miss_something)
    assert not gated.stack.is_healthy()
    # Then, once it is back, all goes on.
    for proxy in proxies:
        proxy.open()
    gated.stack.healthy()
    gated.all_end_well(runs)
    assert gated.all_alive()


def test_a_broker_that_has_lost_everything_is_noticed_and_the_work_published_again(small: Stack) -> None:
    # Given tasks that wait in their queue for a worker.
    small.define(workflow("wiped", simple("measure", given={"a": 1})), tasks=[task_def("measure")])
    runs = [small.start("wiped") for _ in range(5)]
    for each in runs:
        small.when(each, "is scheduled", lambda run: run["tasks"])
    # When every queue is gone, with all that was in it.
    engine_queues = [START_QUEUE, DEAD_QUEUE, *(events_queue(n) for n in range(int(HASTE["BATON_PARTITIONS"])))]
    with pika.BlockingConnection(pika.URLParameters(small.broker_url)) as connection:
        channel = connection.channel()
        for name in (*engine_queues, "measure", MARKER_QUEUE):
            channel.queue_delete(name)
    # Then a worker that comes finds the work, and its results find their way.
    worker = small.celery("vanilla", "worker-after", "-P", "threads", "-c", "2", "-Q", "measure", **vanilla(small))
    for each in runs:
        assert small.ended(each)["status"] == "COMPLETED"
    assert small.ended(small.start("wiped"))["status"] == "COMPLETED"
    worker.ask_to_stop()
    worker.end()
