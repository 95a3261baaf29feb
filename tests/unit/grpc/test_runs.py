"""Runs over gRPC: started, looked at, searched for, changed."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("grpc", reason="the extra grpc is not installed")

from .conftest import RUNS, TASKS, GrpcSite


def status(door: GrpcSite, run: str) -> str:
    # RUNNING is 0, which protobuf's JSON leaves out.
    return str(door.ask(RUNS, "GetWorkflowStatus", workflowId=run).get("status", "RUNNING"))


def end(door: GrpcSite, state: str) -> None:
    """Take the one task of the last kind, and report on it."""
    (task,) = door.polled(timeout=5000)
    result = {"workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"], "status": state}
    door.ask(TASKS, "UpdateTask", result=result)


def test_a_run_that_is_started_can_be_read_at_once(door: GrpcSite) -> None:
    run = door.started(correlationId="c7", priority=5, input={"who": "Ada"})
    found = door.ask(RUNS, "GetWorkflowStatus", workflowId=run, includeTasks=True)
    assert (found["workflowId"], found["correlationId"], found["priority"]) == (run, "c7", 5)
    assert found["input"] == {"who": "Ada"}
    assert [task["referenceTaskName"] for task in found["tasks"]] == ["a"]
    assert found["workflowDefinition"]["name"] == door.workflow
    assert "tasks" not in door.ask(RUNS, "GetWorkflowStatus", workflowId=run)


def test_a_definition_may_stand_in_the_request(door: GrpcSite) -> None:
    step = {"name": door.kind, "taskReferenceName": "inline", "type": "SIMPLE"}
    run = door.started(workflowDef={"name": "unregistered", "tasks": [step]})
    (task,) = door.polled(timeout=5000)
    assert (task["workflowInstanceId"], task["referenceTaskName"]) == (run, "inline")


def test_operators_change_runs(door: GrpcSite) -> None:
    run = door.started()
    door.ask(RUNS, "PauseWorkflow", workflowId=run)
    assert status(door, run) == "PAUSED"
    door.ask(RUNS, "ResumeWorkflow", workflowId=run)
    door.ask(RUNS, "DecideWorkflow", workflowId=run)
    door.ask(RUNS, "ResetWorkflowCallbacks", workflowId=run)
    assert status(door, run) == "RUNNING"
    door.ask(RUNS, "TerminateWorkflow", workflowId=run, reason="enough")
    found = door.ask(RUNS, "GetWorkflowStatus", workflowId=run)
    assert (found["status"], found["reasonForIncompletion"]) == ("TERMINATED", "enough")


def test_runs_are_taken_up_anew(door: GrpcSite) -> None:
    run = door.started()
    end(door, "FAILED_WITH_TERMINAL_ERROR")
    assert status(door, run) == "FAILED"
    door.ask(RUNS, "RetryWorkflow", workflowId=run)
    end(door, "COMPLETED")
    assert status(door, run) == "COMPLETED"
    door.ask(RUNS, "RestartWorkflow", workflowId=run, useLatestDefinitions=True)
    end(door, "COMPLETED")
    assert door.ask(RUNS, "RerunWorkflow", reRunFromWorkflowId=run, workflowInput={"n": 2}) == {"workflowId": run}
    end(door, "COMPLETED")
    assert door.ask(RUNS, "GetWorkflowStatus", workflowId=run)["input"] == {"n": 2}


def test_a_step_is_passed_over(door: GrpcSite) -> None:
    with door.store.transaction() as transaction:
        (definition,) = transaction.workflow_defs(door.workflow)
        (step,) = definition.tasks
        two = (step, step.model_copy(update={"task_reference_name": "b"}))
        transaction.register_workflow(definition.model_copy(update={"tasks": two}), overwrite=True)
    run = door.started()
    door.ask(RUNS, "SkipTaskFromWorkflow", workflowId=run, taskReferenceName="b", request={"taskOutput": {"n": 1}})
    end(door, "COMPLETED")
    tasks = door.ask(RUNS, "GetWorkflowStatus", workflowId=run, includeTasks=True)["tasks"]
    assert [(task["referenceTaskName"], task["status"]) for task in tasks] == [("a", "COMPLETED"), ("b", "SKIPPED")]


def test_a_run_is_removed(door: GrpcSite) -> None:
    run = door.started()
    door.ask(RUNS, "RemoveWorkflow", workflodId=run)
    assert door.refusal(RUNS, "GetWorkflowStatus", workflowId=run)[0] == "NOT_FOUND"


def test_runs_are_found(door: GrpcSite) -> None:
    run = door.started(correlationId="mine")
    name = door.workflow
    query = f"workflowType='{name}'"
    for method in ("Search", "SearchV2", "SearchByTasks", "SearchByTasksV2"):
        found = door.ask(RUNS, method, query=query)
        assert (found["totalHits"], [each["workflowId"] for each in found["results"]]) == ("1", [run])
    assert door.ask(RUNS, "GetRunningWorkflows", name=name) == {"workflowIds": [run]}
    assert door.ask(RUNS, "GetRunningWorkflows", name=name, startTime=1, endTime=2) == {}
    found = door.ask(RUNS, "GetWorkflows", name=name, correlationId=["mine", "nobody's"], includeTasks=True)
    (workflow,) = found["workflowsById"]["mine"]["workflows"]
    assert (workflow["workflowId"], len(workflow["tasks"])) == (run, 1)
    assert found["workflowsById"]["nobody's"] == {}


@pytest.mark.parametrize(
    ("method", "fields", "code", "says"),
    [
        ("StartWorkflow", {}, "INVALID_ARGUMENT", "name is missing"),
        ("StartWorkflow", {"name": "nothing"}, "NOT_FOUND", "nothing"),
        ("StartWorkflow", {"name": "x", "priority": 100}, "INVALID_ARGUMENT", "priority"),
        ("StartWorkflow", {"name": "x", "externalInputPayloadStoragePath": "p"}, "INVALID_ARGUMENT", "storage"),
        ("GetWorkflowStatus", {"workflowId": "nobody"}, "NOT_FOUND", "nobody"),
        ("PauseWorkflow", {}, "NOT_FOUND", ""),
        ("RetryWorkflow", {"workflowId": "nobody"}, "NOT_FOUND", "nobody"),
        ("RerunWorkflow", {"reRunFromWorkflowId": "nobody"}, "NOT_FOUND", "nobody"),
        ("GetWorkflows", {"name": "x", "correlationId": ["c"] * 1001}, "INVALID_ARGUMENT", "1,001"),
        ("Search", {"query": "colour = 'red'"}, "INVALID_ARGUMENT", "colour"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_code(
    door: GrpcSite, method: str, fields: dict[str, Any], code: str, says: str
) -> None:
    found, details = door.refusal(RUNS, method, **fields)
    assert found == code
    assert says in details


def test_what_does_not_fit_the_state_of_a_run_is_told_so(door: GrpcSite) -> None:
    run = door.started()
    assert door.refusal(RUNS, "ResumeWorkflow", workflowId=run)[0] == "FAILED_PRECONDITION"
