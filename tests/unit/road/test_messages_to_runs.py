"""Messages to runs on the road: one that is delivered again is the same message, also after a crash."""

from __future__ import annotations

import pytest

from engine.testing.harness import Harness
from tests.unit.road.line import Line

PULL = {"name": "pull", "taskReferenceName": "pull", "type": "PULL_WORKFLOW_MESSAGES"}


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    first = {"name": "first", "taskReferenceName": "first", "type": "SIMPLE"}
    harness.register({"name": "late", "tasks": [first, PULL]}, {"name": "waits", "tasks": [PULL, first]})
    return harness


def test_a_message_whose_answer_got_lost_is_kept_once(harness):
    line, run = Line(harness), harness.start("late")
    with line.cut():
        harness.request(run, "send_message", payload={"n": 1})
    harness.request(run, "pause")
    harness.restart_decider()
    assert [message["payload"] for message in harness.run(run).messages] == [{"n": 1}]


def test_what_a_message_led_to_is_published_again(harness):
    line, run = Line(harness), harness.start("waits")
    with line.cut():
        assert harness.request(run, "send_message", payload={"n": 1}).granted
    assert harness.task(run, "pull").output["count"] == 1
    assert len(harness.take("first")) == 1
    assert harness.run(run).messages == ()


def test_a_decider_that_knows_an_older_row_sees_the_messages_that_another_one_has_taken_in(harness):
    run = harness.start("late")
    first, harness.executor = harness.executor, harness._executor()
    harness.request(run, "send_message", payload={"n": 1})
    harness.executor = first
    harness.work({"first": lambda given: {}})
    assert harness.task(run, "pull").output["count"] == 1
