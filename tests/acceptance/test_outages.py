"""Processes that are told to stop finish what they have begun; servers that are away are waited for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pika
import pytest

from deploy.endpoint import Servers
from engine.broker.topology import MARKER_QUEUE
from engine.wire.message import DEAD_QUEUE, START_QUEUE, events_queue
from tests.acceptance.conftest import own_servers, vanilla
from tests.acceptance.gate import Gate
from tests.acceptance.processes import Process, until
from tests.acceptance.stack import HASTE, Stack, simple, task_def, workflow

CHAIN = 12


class Gated:
    """A small stack whose way to broker and database leads through gates."""

    def __init__(self, stack: Stack, broker: Gate, database: Gate) -> None:
        self.stack = stack
        self.processes = stack.processes
        self.broker = broker
        self.database = database
        self.services = [stack.baton(name) for name in ("decider", "starter", "timekeeper")]
        self.worker = stack.celery(
            "vanilla", "worker-vanilla", "-P", "threads", "-c", "2", "-Q", "add", **vanilla(stack)
        )
        stack.serve()
        stack.ready(*self.services, self.worker)
        define_chain(stack)


@pytest.fixture(scope="module")
def gated(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with own_servers(servers) as (database_url, broker_url):
        broker, database = Gate(broker_url, 5672), Gate(database_url, 5432)
        stack = Stack(tmp_path_factory.mktemp("gated"), database.url, broker.url)
        try:
            yield Gated(stack, broker, database)
        finally:
            broker.open()
            database.open()
            stack.close()
            broker.close()
            database.close()


def define_chain(stack: Stack) -> None:
    steps = [simple("add", f"add_{n}", left=f"${{add_{n - 1}.output.sum}}", right=1) for n in range(2, CHAIN + 1)]
    first = simple("add", "add_1", left="${workflow.input.start}", right=1)
    stack.define(
        workflow("chain", first, *steps, outputParameters={"sum": f"${{add_{CHAIN}.output.sum}}"}),
        tasks=[task_def("add", retryCount=3, responseTimeoutSeconds=5)],
    )


def begun(stack: Stack, runs: list[str]) -> Any:
    """Return what says that work is under way and by far not done."""

    def look() -> bool:
        return any(len((stack.run(each) or {}).get("tasks", ())) > 1 for each in runs)

    return look


def all_end_well(stack: Stack, runs: list[str]) -> None:
    for number, each in enumerate(runs):
        run = stack.ended(each)
        assert (run["status"], run["output"]) == ("COMPLETED", {"sum": number + CHAIN})


def started(stack: Stack, count: int) -> list[str]:
    return [stack.start("chain", input={"start": number}) for number in range(count)]


def misses(service: Process) -> int:
    """Return how often a service has said that a server is away."""
    return service.log().count("server.away")


def test_a_decider_that_is_told_to_stop_ends_in_time_and_others_finish_the_work(small: Stack) -> None:
    define_chain(small)
    # Given two deciders, each with partitions of its own, and much to do.
    leaving = small.baton("decider")
    leaving.says("partitions.shared")
    runs = started(small, 40)
    until("the work has begun", begun(small, runs))
    # When one is told to stop.
    leaving.ask_to_stop()
    # Then it ends of its own will, within its time, and nothing is left undone.
    assert leaving.wait(float(HASTE["BATON_DRAIN_SECONDS"])) == 0
    assert "service.stopped" in leaving.log()
    all_end_well(small, runs)


@pytest.mark.parametrize("what", ["broker", "database", "both"])
def test_a_server_that_goes_away_in_the_middle_is_waited_for(gated: Gated, what: str) -> None:
    stack = gated.stack
    stack.healthy()
    gates = [gate for name, gate in (("broker", gated.broker), ("database", gated.database)) if what in (name, "both")]
    # A starter that has nothing to do asks nothing of the database.
    missing = [service for service in gated.services if what != "database" or service.name != "starter"]
    before = [misses(service) for service in missing]
    # Given work in the middle.
    runs = started(stack, 15)
    until("the work has begun", begun(stack, runs))
    # When a server goes away, and every service has noticed.
    for gate in gates:
        gate.shut()
    until("every service misses a server", lambda: all(map(int.__lt__, before, map(misses, missing))))
    assert not stack.is_healthy()
    # Then, once it is back, all goes on.
    for gate in gates:
        gate.open()
    stack.healthy()
    all_end_well(stack, runs)
    assert all(service.alive() for service in (*gated.services, gated.worker))


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
