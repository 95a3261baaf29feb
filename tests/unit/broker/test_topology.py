"""Each queue is declared with exactly the arguments that everybody else expects."""

from __future__ import annotations

import pytest
from kombu.pidbox import Mailbox

from engine.broker.topology import (
    CONTROL,
    MARKER_QUEUE,
    REPLY_PREFIX,
    TaskQueueType,
    may_declare,
    queue,
    topic_pattern,
)
from engine.wire.message import DEAD_QUEUE, START_QUEUE, STATUS_EXCHANGE, Message, events_queue


def test_a_task_queue_carries_only_its_priorities() -> None:
    assert queue("resize").arguments == {"x-max-priority": 10}
    assert queue("shop:resize", TaskQueueType.QUORUM).arguments == {"x-queue-type": "quorum"}


@pytest.mark.parametrize("name", [START_QUEUE, DEAD_QUEUE, events_queue(12)])
def test_the_engines_own_queues_are_replicated(name: str) -> None:
    assert queue(name, TaskQueueType.CLASSIC).arguments["x-queue-type"] == "quorum"
    assert queue(name).durable


def test_only_events_queues_have_a_single_active_consumer() -> None:
    assert queue(events_queue(3)).single_active_consumer
    assert not queue(START_QUEUE).single_active_consumer
    assert not queue("baton.events.audit").single_active_consumer


def test_the_marker_is_durable_and_plain() -> None:
    assert queue(MARKER_QUEUE).durable
    assert queue(MARKER_QUEUE).arguments == {}


def test_the_control_exchange_is_what_celerys_workers_declare() -> None:
    theirs = Mailbox("celery", type="fanout").exchange
    assert (CONTROL.name, CONTROL.type, CONTROL.durable) == (theirs.name, theirs.type, theirs.durable)
    assert not theirs.auto_delete
    assert not theirs.arguments


@pytest.mark.parametrize(
    ("message", "allowed"),
    [
        (Message(queue="resize", body=b""), True),
        (Message(queue=events_queue(1), body=b""), True),
        (Message(queue=REPLY_PREFIX + "1", body=b""), False),
        (Message(queue="somebodys", body=b"", transient=True), False),
        (Message(exchange=STATUS_EXCHANGE, queue="workflow.FAILED.a", body=b""), False),
    ],
)
def test_nobody_declares_the_queue_of_an_answer(message: Message, allowed: bool) -> None:
    assert may_declare(message) is allowed


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("#", "workflow.FAILED.a.b", True),
        ("workflow.#", "workflow", True),
        ("workflow.*.a", "workflow.FAILED.a", True),
        ("workflow.*.a", "workflow.FAILED.x.a", False),
        ("workflow.#.a", "workflow.FAILED.x.a", True),
        ("workflow.#.a", "workflow.a", True),
        ("workflow.*", "workflow", False),
        ("task.a+", "task.aa", False),
    ],
)
def test_topics_match_as_amqp_says(pattern: str, key: str, matches: bool) -> None:
    assert bool(topic_pattern(pattern).fullmatch(key + ".")) is matches
