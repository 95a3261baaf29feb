"""A worker's word that it has begun a task counts once, however often it is delivered; two such words count twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from engine.errors import BrokerUnavailable
from engine.testing.harness import Harness, result_message
from engine.wire.message import Delivery, Message

RUN = "run"

Crash = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    step = {"name": "a", "taskReferenceName": "a", "type": "SIMPLE"}
    harness.register({"name": "w", "tasks": [step]}, tasks=[{"name": "a", "retryCount": 0}])
    harness.start("w", workflow_id=RUN)
    return harness


def said(taken: Delivery, status: str, pid: int = 7) -> Message:
    return result_message(taken, {"task_id": f"{RUN}.1", "status": status, "result": {"pid": pid}})


@pytest.fixture
def taken(harness) -> Delivery:
    (taken,) = harness.take("a")
    return taken


@pytest.fixture(params=["the same decider", "another decider"])
def crash(request, harness) -> Crash:
    """Loses the line with what is stored in hand; what was in hand is delivered again, to a decider that forgets."""

    @contextmanager
    def crash() -> Iterator[None]:
        ack = harness.road.ack

        def lose(_: object) -> None:
            raise BrokerUnavailable("the line was lost before the ack")

        harness.road.ack = lose
        with pytest.raises(BrokerUnavailable):
            yield
        harness.road.ack = ack
        harness.road.reconnect()
        if request.param == "another decider":
            harness.restart_decider()

    return crash


def test_a_beginning_that_is_delivered_again_after_a_crash_is_not_another_one(harness, taken, crash):
    for pid in range(1, 5):
        with crash():
            harness.publish(said(taken, "STARTED", pid))
        harness.carry()
        task = harness.task(RUN, "a")
        assert (task.status, task.times_begun) == ("IN_PROGRESS", pid)


def test_a_beginning_that_comes_again_behind_newer_news_is_not_another_one(harness, taken, crash):
    with crash():
        harness.publish(said(taken, "STARTED"))
    held = harness.arrived()
    harness.restart_decider()
    harness.publish(said(taken, "PROGRESS"))
    harness.executor.handle(held)
    assert harness.task(RUN, "a").times_begun == 1


def test_a_wish_to_be_begun_anew_that_comes_again_does_not_take_back_what_was_counted_since(harness, taken, crash):
    harness.publish(said(taken, "STARTED", 1))
    with crash():
        harness.publish(said(taken, "RETRY"))
    held = harness.arrived()
    harness.restart_decider()
    harness.publish(said(taken, "STARTED", 2))
    harness.executor.handle(held)
    assert harness.task(RUN, "a").times_begun == 1


def test_a_worker_that_is_killed_again_and_again_is_counted_though_it_says_the_same_each_time(harness, taken):
    for times in range(1, 5):
        harness.publish(said(taken, "STARTED"))
        assert harness.task(RUN, "a").times_begun == times
    harness.publish(said(taken, "STARTED"))
    assert harness.statuses(RUN) == {"a": "FAILED"}


def test_a_beginning_that_two_deciders_were_given_counts_once(harness, taken):
    # Given a decider that was given the news, and stands still until it has lost it to another one
    slow, message = harness.executor, said(taken, "STARTED")
    harness.restart_decider()
    harness.publish(message)
    # When it goes on
    slow.handle([Delivery(message=message, queue=message.queue)])
    # Then what it has in memory turns out to be old
    assert slow.counts.conflicts == 1
    assert harness.task(RUN, "a").times_begun == 1
