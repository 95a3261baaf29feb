"""Workflows run on replicated task queues too: no priorities, but deliveries are counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from deploy import policies
from deploy.endpoint import Servers
from deploy.vhosts import Vhosts
from tests.acceptance.conftest import own_servers
from tests.acceptance.processes import until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow

QUORUM = {"VANILLA_QUEUES": "quorum"}


@pytest.fixture(scope="module")
def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return decider, timekeeper, server and workers that know nothing but Celery, and those for scripts."""
    with own_servers(servers) as (database_url, broker_url):
        stack = Stack(tmp_path_factory.mktemp("quorum"), database_url, broker_url, BATON_TASK_QUEUE_TYPE="quorum")
        try:
            services = [stack.baton(name) for name in ("decider", "timekeeper")]
            workers = [
                stack.baton("worker", "script", "-c", "1"),
                stack.celery("vanilla", "worker-vanilla", "-c", "1", "-Q", "add", **vanilla(stack), **QUORUM),
            ]
            stack.serve()
            stack.ready(*services, *workers)
            yield stack
        finally:
            stack.close()


@pytest.fixture
def channel(stack: Stack) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(stack.broker_url)) as connection:
        yield connection.channel()


def test_vanilla_and_system_workers_carry_a_workflow(stack: Stack, channel: BlockingChannel) -> None:
    script = {"evaluatorType": "javascript", "expression": "$.sum * 2", "sum": "${add.output.sum}"}
    double = {"name": "double", "taskReferenceName": "double", "type": "INLINE", "inputParameters": script}
    stack.define(
        workflow(
            "doubled", simple("add", left=20, right=1), double, outputParameters={"sum": "${double.output.result}"}
        ),
        tasks=[task_def("add")],
    )

    run = stack.ended(stack.start("doubled", priority=90))

    assert (run["status"], run["output"]) == ("COMPLETED", {"sum": 42})
    for queue in ("add", "system.inline"):
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})


def test_a_task_of_a_killed_worker_is_done_by_the_next_at_once(stack: Stack, tmp_path: Path) -> None:
    gate, surroundings = tmp_path / "gate", {**vanilla(stack), **QUORUM}
    doomed = stack.celery("vanilla", "worker-doomed", "-c", "1", "-Q", "hold", **surroundings)
    stack.define(workflow("held", simple("hold", gate=str(gate))), tasks=[task_def("hold")])
    stack.ready(doomed)
    held = stack.start("held")
    doomed.says("received")

    doomed.kill()
    gate.touch()
    heir = stack.celery("vanilla", "worker-heir", "-c", "1", "-Q", "hold", **surroundings)

    run = stack.ended(held)
    assert [task["status"] for task in run["tasks"]] == ["COMPLETED"]
    heir.ask_to_stop()
    heir.end()


def test_a_task_that_comes_back_again_and_again_is_a_dead_letter_in_the_end(
    stack: Stack, servers: Servers, channel: BlockingChannel
) -> None:
    management_url = Vhosts(servers.broker_url, servers.management_url).management_url()
    assert management_url, "policies are set through RabbitMQ's HTTP API: enable rabbitmq_management"
    policies.apply(management_url, policies.vhost_of(stack.broker_url))
    stack.define(workflow("returned", simple("unwanted")), tasks=[task_def("unwanted", responseTimeoutSeconds=600)])
    returned = stack.start("returned")
    until("the task is scheduled", lambda: (stack.run(returned) or {}).get("tasks"))
    counts: list[int] = []

    def dead() -> bool:
        method, properties, _ = channel.basic_get("unwanted")
        if method is not None:
            counts.append((properties.headers or {}).get("x-delivery-count", 0))
            channel.basic_reject(method.delivery_tag, requeue=True)
        return bool(stack.command("dead", "list")["results"]) if method is None and counts else False

    until("the task is a dead letter", dead)

    (letter,) = stack.command("dead", "list")["results"]
    assert letter["from"] == "unwanted"
    assert counts == list(range(21))
