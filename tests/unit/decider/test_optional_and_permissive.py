"""What happens behind a failure that need not stop the run (Conductor 1.2, 4.3.1)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import echo, fails, fails_for_good, run_of, step


@pytest.mark.parametrize("worker", [fails, fails_for_good])
def test_the_flow_goes_on_behind_an_optional_failure(harness, worker):
    run = run_of(harness, step("a", optional=True, retryCount=0), step("b"))
    harness.work({"a": worker, "b": echo})
    assert harness.statuses(run) == {"a": "COMPLETED_WITH_ERRORS", "b": "COMPLETED"}
    assert harness.run(run).status == "COMPLETED"


def test_an_optional_task_is_retried_first(harness):
    run = run_of(
        harness, step("a", optional=True), step("b"), defs=[{"name": "a", "retryCount": 2, "retryDelaySeconds": 0}]
    )
    assert harness.work({"a": fails}) == 3
    assert [task.status for task in harness.rows(run).tasks] == [
        "FAILED",
        "FAILED",
        "COMPLETED_WITH_ERRORS",
        "SCHEDULED",
    ]


def test_an_optional_task_that_times_out_lets_the_flow_go_on(harness):
    task = {"name": "a", "retryCount": 0, "pollTimeoutSeconds": 5, "timeoutPolicy": "RETRY"}
    run = run_of(harness, step("a", optional=True), step("b"), defs=[task])
    harness.advance(5)
    assert harness.statuses(run) == {"a": "COMPLETED_WITH_ERRORS", "b": "SCHEDULED"}


def test_an_optional_task_that_was_cancelled_lets_the_flow_go_on(harness):
    run = run_of(harness, step("a", optional=True), step("b"))
    harness.request(run, "update_task", ref="a", status="CANCELED")
    assert harness.statuses(run) == {"a": "COMPLETED_WITH_ERRORS", "b": "SCHEDULED"}


def test_a_cancelled_task_terminates_the_run(harness):
    run = run_of(harness, step("a"))
    harness.request(run, "update_task", ref="a", status="CANCELED", reason="not needed")
    assert harness.run(run).status == "TERMINATED"
    assert "failed with status: TERMINATED and reason: 'not needed'" in harness.run(run).reason


def test_the_flow_goes_on_behind_permissive_failures_and_the_run_fails_with_all_of_them(harness):
    run = run_of(harness, *(step(ref, permissive=True, retryCount=0) for ref in "ab"), step("c"))
    harness.work({"a": fails, "b": fails_for_good, "c": echo})
    assert harness.statuses(run) == {"a": "FAILED", "b": "FAILED_WITH_TERMINAL_ERROR", "c": "COMPLETED"}
    assert harness.run(run).status == "FAILED"
    assert harness.run(run).reason == (
        f"Task {run}.1 failed with status: FAILED and reason: 'ValueError: no luck'. "
        f"Task {run}.2 failed with status: FAILED_WITH_TERMINAL_ERROR and reason: 'hopeless'"
    )
    assert harness.run(run).failed_refs == ("a", "b")


def test_optional_wins_over_permissive(harness):
    run = run_of(harness, step("a", optional=True, permissive=True, retryCount=0))
    harness.work({"a": fails})
    assert harness.run(run).status == "COMPLETED"
