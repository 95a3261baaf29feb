"""FORK_JOIN and JOIN: lists side by side, and who waits for what (Conductor 3.3, 3.4)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import echo, fails, fails_for_good, fork, inputs, loop, run_of, step, switch


def test_the_branches_run_side_by_side_and_the_join_waits_for_all(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("b"), step("c")]), step("after"))
    assert harness.statuses(run) == {"f": "COMPLETED", "a": "SCHEDULED", "b": "SCHEDULED", "f_join": "IN_PROGRESS"}
    harness.work({"b": echo, "c": echo})
    assert harness.task(run, "f_join").status == "IN_PROGRESS"
    harness.work({"a": echo})
    assert harness.task(run, "f_join").status == "COMPLETED"
    assert harness.task(run, "after").status == "SCHEDULED"


def test_the_join_gathers_outputs_by_reference_and_leaves_empty_ones_out(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("b")]))
    harness.work({"a": lambda _: {"v": 1}, "b": lambda _: {}})
    assert harness.task(run, "f_join").output == {"a": {"v": 1}}


def test_a_branch_that_is_not_awaited_holds_up_the_end_of_the_run_only(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("b")], join_on=["a"]), step("after"))
    harness.work({"a": echo, "after": echo})
    assert harness.run(run).status == "RUNNING"
    harness.work({"b": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_join_on_nothing_completes_at_once(harness):
    run = run_of(harness, *fork("f", [step("a")], join_on=[]), step("after"))
    assert harness.statuses(run) == {"f": "COMPLETED", "a": "SCHEDULED", "f_join": "COMPLETED", "after": "SCHEDULED"}


def test_a_reference_in_a_case_that_was_not_taken_does_not_hold_up_the_join(harness):
    branch = [switch("s", {"a": [step("x")], "b": [step("y")]})]
    run = run_of(harness, *fork("f", branch, [step("z")], join_on=["x", "y", "z"]), step("after"), given={"way": "a"})
    harness.work({"z": echo})
    assert harness.task(run, "f_join").status == "IN_PROGRESS"
    harness.restart_decider()
    harness.work({"x": echo})
    assert harness.task(run, "f_join").status == "COMPLETED"
    assert "after" in harness.statuses(run)


def test_a_join_waits_for_a_reference_outside_its_fork(harness):
    inner = fork("in", [step("a")], join_on=["a", "far"])
    run = run_of(harness, *fork("out", [*inner, step("after")], [step("slow"), step("far")], join_on=["after", "far"]))
    harness.work({"a": echo})
    assert harness.task(run, "in_join").status == "IN_PROGRESS"
    harness.restart_decider()
    harness.work({"slow": echo})
    assert harness.task(run, "in_join").status == "IN_PROGRESS"
    harness.work({"far": echo})
    assert harness.task(run, "in_join").status == "COMPLETED"
    harness.work({"after": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_join_that_nothing_can_ever_satisfy_fails_the_run_with_the_reason(harness):
    run = run_of(harness, step("a"), step("j", "JOIN", joinOn=["a", "nowhere"]), step("after"))
    harness.work({"a": echo})
    assert harness.run(run).status == "FAILED"
    assert "j waits for nowhere" in harness.run(run).reason


def test_such_a_join_is_noticed_inside_a_loop_too(harness):
    run = run_of(harness, loop("l", "false", step("a"), step("j", "JOIN", joinOn=["nowhere"])))
    harness.work({"a": echo})
    assert harness.run(run).status == "FAILED"
    assert "j__1 waits for nowhere" in harness.run(run).reason


def test_a_failing_branch_fails_the_run_and_cancels_the_others(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("b")]))
    harness.work({"a": fails_for_good})
    assert harness.statuses(run) == {
        "f": "COMPLETED",
        "a": "FAILED_WITH_TERMINAL_ERROR",
        "b": "CANCELED",
        "f_join": "CANCELED",
    }
    assert harness.run(run).status == "FAILED"


def test_the_join_waits_while_a_branch_has_attempts_left(harness):
    run = run_of(
        harness, *fork("f", [step("a", retryCount=1)], [step("b")]), defs=[{"name": "a", "retryDelaySeconds": 5}]
    )
    harness.work({"a": fails, "b": echo})
    assert harness.task(run, "f_join").status == "IN_PROGRESS"
    harness.advance(5)
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_permissive_failure_fails_the_join_once_all_branches_have_ended(harness):
    run = run_of(harness, *fork("f", [step("a", permissive=True, retryCount=0)], [step("b")]))
    harness.work({"a": fails})
    assert harness.task(run, "f_join").status == "IN_PROGRESS"
    harness.work({"b": echo})
    assert harness.task(run, "f_join").status == "FAILED"
    assert "no luck" in harness.task(run, "f_join").reason
    assert harness.run(run).status == "FAILED"


def test_an_optional_failure_leaves_its_mark_on_the_join(harness):
    run = run_of(harness, *fork("f", [step("a", optional=True, retryCount=0)], [step("b")]))
    harness.work({"a": fails, "b": echo})
    assert harness.task(run, "f_join").status == "COMPLETED_WITH_ERRORS"
    assert harness.task(run, "f_join").reason.endswith("completed with errors")
    assert harness.run(run).status == "COMPLETED"


def test_forks_may_be_nested(harness):
    run = run_of(harness, *fork("f", fork("g", [step("a")], [step("b")]), [step("c")]), step("after"))
    for worker in ("c", "b"):
        harness.work({worker: echo})
        harness.restart_decider()
        assert "after" not in harness.statuses(run)
    harness.work({"a": echo, "after": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_join_goes_by_its_fork_and_not_by_an_input_that_looks_like_one(harness):
    run = run_of(harness, step("a", **inputs(forkedTasks=["x"])), step("j", "JOIN", joinOn=["a"]))
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize("behind", [[], [step("x")]])
def test_a_fork_without_a_join_fails_the_run(harness, behind):
    run = run_of(harness, step("f", "FORK_JOIN", forkTasks=[[step("a")]]), *behind)

    assert harness.run(run).status == "FAILED"
    assert "not followed by a join" in harness.run(run).reason


def test_an_empty_branch_holds_up_nobody(harness):
    run = run_of(harness, step("f", "FORK_JOIN", forkTasks=[[step("a")], []]), step("j", "JOIN", joinOn=["a"]))
    harness.work({"a": echo})

    assert harness.run(run).status == "COMPLETED"
