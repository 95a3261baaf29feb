"""EXCLUSIVE_JOIN: the output of whichever step ran (Conductor 3.5)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import echo, fails, fork, inputs, loop, run_of, step, switch


def either(**fields):
    """Return a switch with the steps a and b, and the join that takes what ran."""
    cases = {
        "a": [step("a", retryCount=0, **inputs(said="from a"), **fields)],
        "b": [step("b", **inputs(said="from b"))],
    }
    return [switch("s", cases), step("j", "EXCLUSIVE_JOIN", joinOn=["a", "b"])]


@pytest.mark.parametrize("way", ["a", "b"])
def test_it_has_the_output_of_the_step_that_ran(harness, way):
    run = run_of(harness, *either(), given={"way": way}, outputParameters={"said": "${j.output.said}"})
    harness.work({"a": echo, "b": echo})
    assert harness.task(run, "j").status == "COMPLETED"
    assert harness.run(run).output == {"said": f"from {way}"}


def test_where_no_case_was_taken_there_is_nothing_to_wait_for(harness):
    run = run_of(harness, *either(), given={"way": "z"})
    assert harness.task(run, "j").output == {}
    assert harness.run(run).status == "COMPLETED"


def test_the_default_is_looked_at_when_none_of_the_references_ran(harness):
    join = step("j", "EXCLUSIVE_JOIN", joinOn=["a"], defaultExclusiveJoinTask=["before"])
    run = run_of(harness, step("before", **inputs(said="before")), switch("s", {"a": [step("a")]}), join)
    harness.work({"before": echo})
    assert harness.task(run, "j").output == {"said": "before"}


def test_a_permissive_failure_fails_it_with_the_same_reason(harness):
    run = run_of(harness, *either(permissive=True), given={"way": "a"})
    harness.work({"a": fails})
    assert harness.statuses(run) == {"s": "COMPLETED", "a": "FAILED", "j": "FAILED"}
    assert "no luck" in harness.task(run, "j").reason


def test_an_optional_failure_is_none(harness):
    run = run_of(harness, *either(optional=True), given={"way": "a"})
    harness.work({"a": fails})
    assert harness.task(run, "j").status == "COMPLETED"


def test_it_waits_for_a_step_that_still_runs_in_another_branch(harness):
    other = [step("first"), step("j", "EXCLUSIVE_JOIN", joinOn=["slow"])]
    run = run_of(harness, *fork("f", [step("slow", **inputs(said="late"))], other))
    harness.work({"first": echo})
    assert harness.statuses(run)["j"] == "IN_PROGRESS"
    harness.restart_decider()
    harness.work({"slow": echo})
    assert harness.task(run, "j").output == {"said": "late"}
    assert harness.run(run).status == "COMPLETED"


def test_in_a_loop_it_looks_at_its_own_iteration(harness):
    cases = {"1": [step("a", **inputs(said="first"))], "2": [step("b", **inputs(said="second"))]}
    turn = switch("s", cases, **inputs(way="${l.output.iteration}"))
    run = run_of(harness, loop("l", "$.l.iteration < 2", turn, step("j", "EXCLUSIVE_JOIN", joinOn=["a", "b"])))
    harness.work({"a": echo})
    harness.work({"b": echo})
    assert harness.task(run, "j__1").output == {"said": "first"}
    assert harness.task(run, "j__2").output == {"said": "second"}


def test_with_nothing_to_choose_from_it_is_empty(harness):
    run = run_of(harness, step("j", "EXCLUSIVE_JOIN"))
    assert (harness.task(run, "j").status, harness.task(run, "j").output) == ("COMPLETED", {})
