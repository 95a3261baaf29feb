"""Isolation groups and namespaces: queues of their own for system tasks whose definitions ask for it."""

from __future__ import annotations

import pytest

from engine.config import Settings
from engine.testing.harness import Harness
from tests.unit.decider.steps import inputs, run_of, step

CALL = step("call", "HTTP", **inputs(uri="http://shop.example"))


def queue_of(harness: Harness, call: dict[str, object] = CALL, **definition: str) -> str:
    run = run_of(harness, call, defs=[{"name": str(call["name"]), **definition}])
    return harness.task(run, str(call["name"])).queue


@pytest.mark.parametrize(
    ("definition", "queue"),
    [
        ({}, "system.http"),
        ({"isolationGroupId": "slow"}, "system.http-slow"),
        ({"executionNameSpace": "blue"}, "system.http@blue"),
        ({"executionNameSpace": "blue", "isolationGroupId": "slow"}, "system.http@blue-slow"),
        ({"executionNameSpace": "a@b-c", "isolationGroupId": "d-e"}, "system.http@a@b-c-d-e"),
    ],
)
def test_a_definition_keeps_its_system_tasks_apart(harness, definition, queue):
    assert queue_of(harness, **definition) == queue
    (delivery,) = harness.take(queue)
    # Whatever the queue, the body is the same.
    assert delivery.message.headers["task"] == "system.http"


def test_a_workers_own_task_stays_in_the_queue_of_its_name(harness):
    assert queue_of(harness, step("resize"), isolationGroupId="slow", executionNameSpace="blue") == "resize"


def test_a_further_attempt_goes_to_the_same_queue(harness):
    run = run_of(harness, CALL, defs=[{"name": "call", "isolationGroupId": "slow", "retryDelaySeconds": 1}])
    harness.request(run, "update_task", ref="call", status="FAILED")
    harness.advance(2)
    assert [task.queue for task in harness.rows(run).tasks] == ["system.http-slow"] * 2


def test_the_setting_gives_them_to_the_usual_workers():
    harness = Harness(settings=Settings(isolated_queues=False))
    assert queue_of(harness, isolationGroupId="slow") == "system.http"
