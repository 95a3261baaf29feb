"""Listeners hear of every run, whatever is killed or away meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest

from deploy.endpoint import Servers
from tests.acceptance.conftest import own_servers
from tests.acceptance.processes import until
from tests.acceptance.stack import Stack, workflow
from tests.listener import Listener

STEP = {"name": "n", "taskReferenceName": "n", "type": "NOOP"}


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


@pytest.fixture
def stack(servers: Servers, listener: Listener, tmp_path: Path) -> Iterator[Stack]:
    with own_servers(servers) as (database_url, broker_url):
        stack = Stack(tmp_path, database_url, broker_url, BATON_NOTICE_SINKS=listener.url)
        try:
            stack.serve()
            stack.ready(stack.baton("decider"))
            yield stack
        finally:
            stack.close()


def expected(runs: list[str]) -> set[tuple[str, str]]:
    return {(run, event) for run in runs for event in ("STARTED", "COMPLETED", "FINALIZED")}


def heard(listener: Listener) -> set[tuple[str, str]]:
    documents = [json.loads(body) for _, body in listener.heard]
    return {(document["workflow"]["workflowId"], document["event"]) for document in documents}


def test_a_listener_that_was_away_hears_of_every_run_also_when_the_notifier_is_killed(
    stack: Stack, listener: Listener
) -> None:
    stack.define(workflow("told", STEP, workflowStatusListenerEnabled=True))
    # Given a listener that takes nothing, and a notifier that has begun to bring it word.
    listener.status = 503
    first = stack.baton("notifier")
    stack.ready(first)
    runs = [stack.start("told") for _ in range(20)]
    first.says("sink.away")
    # When the notifier is killed, more happens while there is none, and the listener comes back.
    first.kill()
    runs += [stack.start("told") for _ in range(20)]
    for run in runs:
        assert stack.ended(run)["status"] == "COMPLETED"
    listener.status = 200
    stack.ready(stack.baton("notifier"))
    # Then it hears of everything, and nothing is left.
    until("everything was heard", lambda: heard(listener) == expected(runs), 120)
    assert stack.command("dead", "list")["totalHits"] == 0


def test_queues_and_exchanges_of_the_broker_are_told_too(stack: Stack, listener: Listener) -> None:
    with pika.BlockingConnection(pika.URLParameters(stack.broker_url)) as connection:
        channel = connection.channel()
        channel.queue_declare("all", durable=True)
        channel.exchange_declare("runs", "topic", durable=True)
        channel.queue_declare("ends", durable=True)
        channel.queue_bind("ends", "runs", "workflow.completed.*")
        stack.define(
            workflow("by_queue", STEP, workflowStatusListenerEnabled=True, workflowStatusListenerSink="amqp_queue:all"),
            workflow(
                "by_exchange", STEP, workflowStatusListenerEnabled=True, workflowStatusListenerSink="amqp_exchange:runs"
            ),
        )
        stack.ready(stack.baton("notifier"))
        one, two = stack.start("by_queue"), stack.start("by_exchange")
        everything = [taken(channel, "all") for _ in range(3)]
        assert {(each["workflow"]["workflowId"], each["event"]) for each in everything} == expected([one])
        end = taken(channel, "ends")
        assert (end["workflow"]["workflowId"], end["event"]) == (two, "COMPLETED")
    assert listener.heard == []


def taken(channel: Any, queue: str) -> dict[str, Any]:
    """Wait for a message in a queue and take it."""

    def look() -> Any:
        _, properties, body = channel.basic_get(queue, auto_ack=True)
        return body and (properties, body)

    properties, body = until(f"{queue} has a message", look)
    document: dict[str, Any] = json.loads(body)
    assert properties.message_id == document["id"]
    return document
