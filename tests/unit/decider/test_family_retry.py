"""A retry in a family of runs: children go on where they failed, and those above wait again (Conductor 4.10)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import child, echo, fails, fork, inputs, run_of, step


@pytest.fixture
def family(harness):
    """A parent, its child and the child's child; the innermost has a step that works and one that does not."""
    harness.register({"name": "inner", "tasks": [step("fine"), step("bad", retryCount=0)]})
    harness.register({"name": "middle", "tasks": [child("i", "inner"), step("m")]})
    run = run_of(harness, child("c", "middle"), step("after"))
    harness.work({"fine": echo, "bad": fails})
    middle = harness.task(run, "c").child_id
    inner = harness.task(middle, "i").child_id
    assert [harness.run(each).status for each in (run, middle, inner)] == ["FAILED"] * 3
    return run, middle, inner


def goes_well_from_here(harness, family):
    """Assert that the same three runs go on, do nothing twice, and complete."""
    run, middle, inner = family
    assert [harness.run(each).status for each in family] == ["RUNNING"] * 3
    assert harness.task(run, "c").child_id == middle
    harness.restart_decider()
    harness.work({"bad": echo, "m": echo, "after": echo})
    assert [harness.run(each).status for each in family] == ["COMPLETED"] * 3
    assert [task.ref for task in harness.rows(inner).tasks] == ["fine", "bad", "bad"]
    assert [task.ref for task in harness.rows(middle).tasks] == ["i", "m"]
    assert [task.ref for task in harness.rows(run).tasks] == ["c", "after"]


def test_a_retry_may_resume_the_children_down_to_the_one_that_failed(harness, family):
    assert harness.request(family[0], "retry", resumeSubworkflowTasks=True).granted
    goes_well_from_here(harness, family)


def test_a_child_that_is_retried_is_waited_for_again_by_all_above_it(harness, family):
    assert harness.request(family[2], "retry").granted
    goes_well_from_here(harness, family)


def test_a_retry_in_the_middle_goes_up_and_down(harness, family):
    assert harness.request(family[1], "retry", resumeSubworkflowTasks=True).granted
    goes_well_from_here(harness, family)


def test_a_resumed_child_that_fails_again_fails_those_above_again(harness, family):
    for _ in range(2):
        harness.advance(1)
        assert harness.request(family[0], "retry", resumeSubworkflowTasks=True).granted
        harness.work({"bad": fails})
        assert [harness.run(each).status for each in family] == ["FAILED"] * 3
    harness.advance(1)
    assert harness.request(family[0], "retry", resumeSubworkflowTasks=True).granted
    harness.work({"bad": echo, "m": echo, "after": echo})
    assert [harness.run(each).status for each in family] == ["COMPLETED"] * 3


def test_siblings_that_were_cancelled_beside_a_revived_child_go_on_too(harness):
    harness.register({"name": "kid", "tasks": [step("k", retryCount=0)]})
    harness.register({"name": "other", "tasks": [step("o")]})
    run = run_of(harness, *fork("f", [child("c", "kid")], [child("d", "other")], [step("a")]), step("after"))
    harness.work({"k": fails})
    kid, other = harness.task(run, "c").child_id, harness.task(run, "d").child_id
    assert harness.run(other).status == "TERMINATED"
    assert harness.request(kid, "retry").granted
    harness.work({"k": echo, "o": echo, "a": echo, "after": echo})
    assert harness.run(run).status == "COMPLETED"
    assert harness.task(run, "d").child_id == other
    assert harness.run(other).status == "COMPLETED"


def test_a_parent_that_has_gone_on_without_the_child_is_not_revived_by_it(harness):
    harness.register({"name": "kid", "tasks": [step("k", retryCount=0)]})
    run = run_of(harness, child("c", "kid", optional=True), step("bad", retryCount=0))
    harness.work({"k": fails})
    kid = harness.task(run, "c").child_id
    harness.work({"bad": fails})
    assert harness.request(kid, "retry").granted
    assert harness.run(run).status == "FAILED"
    assert harness.run(kid).status == "RUNNING"


def test_a_child_with_nothing_to_retry_says_so_and_nobody_waits_for_it(harness):
    harness.register({"name": "kid", "tasks": [step("t", "TERMINATE", **inputs(terminationStatus="FAILED"))]})
    run = run_of(harness, child("c", "kid"))
    assert harness.run(run).status == "FAILED"
    assert harness.request(run, "retry", resumeSubworkflowTasks=True).granted
    assert harness.run(run).status == "FAILED"
    assert "kid" in harness.run(run).reason


def test_a_child_that_was_never_started_cannot_go_on_and_the_reason_says_what_to_do(harness):
    run = run_of(harness, child("c", "kid"))
    assert harness.run(run).status == "FAILED"
    harness.register({"name": "kid", "tasks": [step("k")]})
    assert harness.request(run, "retry", resumeSubworkflowTasks=True).granted
    assert harness.run(run).status == "FAILED"
    assert "a retry without resumeSubworkflowTasks starts another one" in harness.run(run).reason
    assert harness.request(run, "retry").granted
    harness.work({"k": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_revived_child_can_be_terminated_with_its_parent_once_more(harness, family):
    harness.request(family[0], "retry", resumeSubworkflowTasks=True)
    harness.request(family[0], "terminate", reason="enough")
    assert [harness.run(each).status for each in family] == ["TERMINATED"] * 3
    harness.request(family[0], "retry", resumeSubworkflowTasks=True)
    harness.request(family[0], "terminate", reason="enough now")
    assert [harness.run(each).status for each in family] == ["TERMINATED"] * 3
