"""GET_WORKFLOW: a run reads how another one stands (Orkes)."""

from __future__ import annotations

import pytest

from engine.errors import BadDefinition
from tests.unit.decider.steps import child, echo, fork, inputs, loop, run_of, step


def get(ref="g", **parameters):
    return step(ref, "GET_WORKFLOW", **inputs(**parameters))


@pytest.fixture
def other(harness):
    """A run of which one task is done and another one waits."""
    tasks = [step("a"), step("w", "WAIT")]
    harness.register({"name": "other", "tasks": tasks, "maskedFields": ["card"]})
    other = harness.start("other", {"n": 1, "card": "4111"})
    harness.work({"a": lambda _: {"v": 7}})
    return other


def test_it_shows_the_run_as_conductor_does_and_its_tasks_only_where_they_are_wanted(harness, other):
    run = run_of(harness, get(id=other), get("t", id=other, includeTasks=True))
    seen, with_tasks = harness.task(run, "g").output, harness.task(run, "t").output
    assert (seen["workflowId"], seen["status"], seen["workflowName"]) == (other, "RUNNING", "other")
    assert seen["tasks"] == []
    assert [(task["referenceTaskName"], task["status"]) for task in with_tasks["tasks"]] == [
        ("a", "COMPLETED"),
        ("w", "IN_PROGRESS"),
    ]
    assert with_tasks["tasks"][0]["outputData"] == {"v": 7}


def test_what_the_other_definition_masks_stays_hidden(harness, other):
    run = run_of(harness, get(id=other))
    assert harness.task(run, "g").output["input"] == {"n": 1, "card": "***"}


def test_it_sees_its_own_run_as_it_is_now_even_before_it_is_stored(harness):
    run = run_of(harness, step("s", "SET_VARIABLE", **inputs(v=1)), get(id="${workflow.workflowId}", includeTasks=True))
    seen = harness.task(run, "g").output
    assert seen["variables"] == {"v": 1}
    assert [task["referenceTaskName"] for task in seen["tasks"]] == ["s", "g"]


def test_where_there_is_no_such_run_it_fails_and_a_further_attempt_looks_again(harness):
    run = run_of(harness, get(id="late"), defs=[{"name": "g", "retryCount": 1, "retryDelaySeconds": 5}])
    assert harness.task(run, "g").reason is None or "late" in harness.task(run, "g").reason
    harness.register({"name": "other", "tasks": [step("w", "WAIT")]})
    harness.start("other", workflow_id="late")
    harness.advance(5)
    assert [task.status for task in harness.rows(run).tasks] == ["FAILED", "COMPLETED"]
    assert "No such workflow found by id: late" in harness.rows(run).tasks[0].reason


def test_it_looks_anew_in_each_iteration(harness, other):
    body = [step("a2"), get(id=other)]
    run = run_of(harness, loop("l", "$.l.iteration < 2", *body))
    harness.publish(*(harness._result(each, echo) for each in harness.take("a2")))
    harness.request(other, "signal")
    harness.work({"a2": echo})
    assert [harness.task(run, f"g__{n}").output["status"] for n in (1, 2)] == ["RUNNING", "COMPLETED"]


def test_in_forks_and_children_it_works_as_anywhere(harness, other):
    harness.register({"name": "inner", "tasks": [get(id=other)]})
    run = run_of(harness, *fork("f", [get(id=other)], [child("c", "inner")]))
    assert harness.run(run).status == "COMPLETED"
    assert harness.task(run, "c").output["workflowName"] == "other"


@pytest.mark.parametrize("wrong", [None, 7, "no / id", ""])
def test_an_id_that_can_be_none_fails_it_for_good(harness, wrong):
    run = run_of(harness, get(id="${workflow.input.id}"), given={"id": wrong})
    assert harness.task(run, "g").status == "FAILED_WITH_TERMINAL_ERROR"


def test_without_an_id_it_is_refused(harness):
    with pytest.raises(BadDefinition, match="id"):
        run_of(harness, get())
