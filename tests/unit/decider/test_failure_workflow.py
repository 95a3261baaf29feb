"""The run that is started because another one failed (Conductor 1.1, 4.7)."""

from __future__ import annotations

import pytest

from engine.config import Settings
from engine.testing.harness import Harness
from tests.unit.decider.steps import echo, fails_for_good, inputs, run_of, step


@pytest.fixture
def mender(harness):
    harness.register({"name": "mend", "tasks": [step("m")]})


def test_it_is_told_everything_about_the_failure(harness, mender):
    harness.register({"name": "flow", "tasks": [step("a")], "failureWorkflow": "mend"})
    run = harness.start("flow", {"order": 7}, correlation_id="c-7")
    harness.work({"a": fails_for_good})
    failed = harness.run(run)
    mend = harness.run(failed.failure_workflow_id)
    assert failed.output == {"conductor.failure_workflow": mend.id}
    assert (mend.status, mend.correlation_id, mend.parent_id, mend.priority) == ("RUNNING", "c-7", None, 0)
    told = dict(mend.input)
    whole = told.pop("failedWorkflow")
    assert told == {
        "order": 7,
        "workflowId": run,
        "reason": failed.reason,
        "failureStatus": "FAILED",
        "failureTaskId": f"{run}.1",
    }
    assert (whole["workflowId"], whole["status"], len(whole["tasks"])) == (run, "FAILED", 1)


def test_its_name_may_come_from_the_input(harness, mender):
    run = run_of(harness, step("a"), given={"who": "mend"}, failureWorkflow="$workflow.input.who")
    harness.work({"a": fails_for_good})
    assert harness.run(harness.run(run).failure_workflow_id).name == "mend"


def test_timeouts_and_terminate_tasks_start_it_too(harness, mender):
    failing = step("t", "TERMINATE", **inputs(terminationStatus="FAILED"))
    late = {"failureWorkflow": "mend", "timeoutSeconds": 5, "timeoutPolicy": "TIME_OUT_WF"}
    for tasks in ([failing], [step("h", "HUMAN")]):
        run = run_of(harness, *tasks, **late)
        harness.advance(5)
        assert harness.run(harness.run(run).failure_workflow_id).status == "RUNNING"


def test_a_good_end_and_an_operators_termination_start_none(harness, mender):
    good, ended = (run_of(harness, step("a"), failureWorkflow="mend") for _ in range(2))
    harness.request(ended, "terminate")
    harness.work({"a": echo})
    assert harness.run(good).failure_workflow_id is None
    assert harness.run(ended).failure_workflow_id is None


def test_whoever_terminates_a_run_may_have_it_started(harness, mender):
    run = run_of(harness, step("a"), failureWorkflow="mend")
    harness.request(run, "terminate", reason="enough", triggerFailureWorkflow=True)
    ended = harness.run(run)
    assert (ended.status, ended.output) == ("TERMINATED", {"conductor.failure_workflow": ended.failure_workflow_id})
    assert harness.run(ended.failure_workflow_id).input["reason"] == "enough"


def test_an_unknown_one_becomes_a_dead_letter_and_the_run_has_failed_all_the_same(harness):
    run = run_of(harness, step("a"), failureWorkflow="nobody")
    harness.work({"a": fails_for_good})
    assert harness.run(run).status == "FAILED"
    assert harness.road.ready("baton.dead") == 1


def test_one_that_fails_and_is_its_own_failure_workflow_comes_to_an_end():
    harness = Harness(settings=Settings(max_depth=5))
    failing = step("t", "TERMINATE", **inputs(terminationStatus="FAILED"))
    harness.register({"name": "flow", "tasks": [failing], "failureWorkflow": "flow"})
    harness.start("flow")
    assert harness.executor.counts.starts == 6


def test_it_is_not_started_again_by_a_second_decider(harness, mender):
    run = run_of(harness, step("a"), failureWorkflow="mend")
    harness.work({"a": fails_for_good})
    harness.restart_decider()
    assert len(harness.take("m")) == 1
    assert harness.run(run).failure_workflow_id is not None
