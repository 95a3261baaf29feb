"""Priorities and start delays hold however a run was started: by message, as a child, aside, after a failure."""

from __future__ import annotations

from typing import Any

import pytest

from engine.testing.harness import Harness
from tests.unit.decider.steps import Step, fails_for_good, inputs, step


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    harness.register({"name": "kid", "tasks": [step("k")]})
    return harness


def priorities(harness: Harness, queue: str) -> list[int]:
    return [each.message.priority for each in harness.take(queue)]


@pytest.mark.parametrize(("priority", "level"), [(0, 0), (9, 0), (10, 1), (55, 5), (99, 9)])
def test_a_runs_priority_is_that_of_its_messages_by_tens(harness, priority, level):
    run = harness.start("kid", priority=priority)
    assert priorities(harness, "k") == [level]
    harness.request(run, "update_task", ref="k", status="FAILED")
    harness.advance(61)
    assert priorities(harness, "k") == [level]


@pytest.mark.parametrize(
    ("written", "found"), [(70, 70), ("${workflow.input.urgency}", 40), (None, 0), ("${workflow.input.nothing}", 0)]
)
def test_a_child_has_the_priority_that_its_parent_names_and_not_the_parents(harness, written, found):
    param = {"name": "kid", "priority": written}
    harness.register({"name": "flow", "tasks": [step("sub", "SUB_WORKFLOW", subWorkflowParam=param)]})
    run = harness.start("flow", {"urgency": 40}, priority=99)
    child = harness.run(str(harness.task(run, "sub").child_id))
    assert (child.priority, priorities(harness, "k")) == (found, [found // 10])


def test_a_priority_beyond_the_scale_fails_the_task_that_names_it(harness):
    param = {"name": "kid", "priority": 100}
    harness.register({"name": "flow", "tasks": [step("sub", "SUB_WORKFLOW", subWorkflowParam=param)]})
    run = harness.start("flow")
    assert harness.task(run, "sub").status == "FAILED"
    assert "priority" in str(harness.task(run, "sub").reason)


def test_a_run_that_is_started_aside_has_the_priority_of_its_request(harness):
    request = {"name": "kid", "priority": 70}
    harness.register({"name": "flow", "tasks": [step("aside", "START_WORKFLOW", **inputs(startWorkflow=request))]})
    harness.start("flow", priority=20)
    assert priorities(harness, "k") == [7]


def test_a_failure_workflow_has_none(harness):
    harness.register({"name": "flow", "tasks": [step("a")], "failureWorkflow": "kid"})
    harness.start("flow", priority=90)
    harness.work({"a": fails_for_good})
    assert priorities(harness, "k") == [0]


def delayed(**fields: Any) -> Step:
    return step("a", startDelay=30, **fields)


def test_a_start_delay_holds_under_a_limit_and_in_a_domain(harness):
    limited = {"name": "a", "concurrentExecLimit": 1}
    harness.register({"name": "flow", "tasks": [delayed()]}, tasks=[limited])
    first = harness.start("flow", task_to_domain={"a": "blue"})
    harness.start("flow", task_to_domain={"a": "blue"})
    harness.advance(29.9)
    assert harness.take("blue:a") == []
    harness.advance(0.1)
    assert len(harness.take("blue:a")) == 1
    harness.request(first, "terminate")
    assert len(harness.take("blue:a")) == 1


def test_a_start_delay_does_not_hold_for_further_attempts(harness):
    harness.register({"name": "flow", "tasks": [delayed(retryCount=1)]}, tasks=[{"name": "a", "retryDelaySeconds": 1}])
    run = harness.start("flow")
    harness.advance(30)
    harness.request(run, "update_task", ref="a", status="FAILED")
    harness.take("a")
    harness.advance(1)
    assert len(harness.take("a")) == 1
