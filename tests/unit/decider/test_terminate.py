"""TERMINATE: a run that ends on purpose (Conductor 3.18)."""

from __future__ import annotations

import pytest

from engine.errors import BadDefinition
from tests.unit.decider.steps import child, echo, fork, inputs, run_of, step, switch


def terminate(status="COMPLETED", ref="t", **more):
    return step(ref, "TERMINATE", **inputs(terminationStatus=status, **more))


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "TERMINATED"])
def test_the_run_ends_at_once_with_the_status_that_was_asked_for(harness, status):
    run = run_of(harness, terminate(status, terminationReason="so be it", workflowOutput={"v": 1}), step("after"))
    ended = harness.run(run)
    assert (ended.status, ended.reason, ended.output) == (status, "so be it", {"v": 1})
    assert harness.statuses(run) == {"t": "COMPLETED"}


def test_without_a_reason_it_names_the_task(harness):
    run = run_of(harness, terminate("FAILED"))
    assert harness.run(run).reason == f"Workflow is FAILED by TERMINATE task: {run}.1"


@pytest.mark.parametrize(("given", "output"), [({"a": 1}, {"a": 1}), (7, {"output": 7}), (None, {})])
def test_its_output_replaces_that_of_the_definition(harness, given, output):
    run = run_of(
        harness, terminate(workflowOutput="${workflow.input.v}"), given={"v": given}, outputParameters={"never": 1}
    )
    assert harness.run(run).output == output


def test_open_siblings_are_cancelled_and_their_workers_told(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    run = run_of(harness, *fork("f", [step("a")], [child("c", "kid")], [step("go"), terminate()]))
    harness.work({"go": echo})
    assert harness.run(run).status == "COMPLETED"
    assert (harness.task(run, "a").status, harness.task(run, "f_join").status) == ("CANCELED", "CANCELED")
    assert harness.run(harness.task(run, "c").child_id).status == "TERMINATED"


def test_in_a_child_only_the_child_ends(harness):
    harness.register({"name": "kid", "tasks": [terminate("COMPLETED", workflowOutput={"v": 1})]})
    run = run_of(harness, child("c", "kid"), step("after"))
    assert harness.task(run, "c").output["v"] == 1
    assert "after" in harness.statuses(run)


def test_in_a_case_or_a_loop_it_ends_the_whole_run(harness):
    body = switch("s", {"a": [terminate()]})
    run = run_of(harness, step("l", "DO_WHILE", loopCondition="true", loopOver=[body]), given={"way": "a"})
    assert harness.run(run).status == "COMPLETED"
    assert harness.task(run, "l").status == "CANCELED"


def test_a_status_found_out_at_run_time_is_refused(harness):
    with pytest.raises(BadDefinition, match="written out"):
        run_of(harness, terminate("${workflow.input.s}"))


def test_an_optional_one_is_refused(harness):
    with pytest.raises(BadDefinition, match="cannot be optional"):
        run_of(harness, {**terminate(), "optional": True})


def test_a_run_failed_by_it_has_nothing_to_retry(harness):
    run = run_of(harness, terminate("FAILED"))
    assert harness.request(run, "retry").code == 409
