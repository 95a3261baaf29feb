"""Runs in Conductor's JSON: names, presence and times as its clients expect them."""

import pytest

from engine.clock import Instant
from engine.errors import BadMessage, NotFound
from engine.model.definition import TaskDef, WorkflowDef, WorkflowTask
from engine.model.execution import Task, Workflow
from engine.model.status import TaskStatus, WorkflowStatus
from engine.wire.conductor import Described, read_task_result, status_json, summary_json, task_json, workflow_json

STEP = WorkflowTask(name="resize", task_reference_name="small", input_parameters={"width": None})
DEFINITION = WorkflowDef(name="media", version=2, tasks=(STEP,))
T0 = Instant(1_700_000_000_123_456)


def a_task(**fields):
    given = {"workflow_id": "w", "seq": 2, "ref": "small", "type": "SIMPLE", "name": "resize", **fields}
    return Task(**given)


def a_run(**fields):
    return Workflow(id="w", name="media", version=2, definition_hash="h", created_at=T0, updated_at=T0, **fields)


def described(task):
    return Described(step=STEP, task_type="resize", task_def_name="resize", definition=TaskDef(name="resize"))


def test_a_new_run_shows_every_field_that_is_always_present():
    shown = workflow_json(a_run(), [], DEFINITION, described)

    assert shown == {
        "ownerApp": "",
        "createTime": 1_700_000_000_123,
        "startTime": 1_700_000_000_123,
        "updateTime": 1_700_000_000_123,
        "endTime": 0,
        "lastRetriedTime": 0,
        "status": "RUNNING",
        "workflowId": "w",
        "workflowName": "media",
        "workflowVersion": 2,
        "tasks": [],
        "input": {},
        "output": {},
        "variables": {},
        "taskToDomain": {},
        "failedReferenceTaskNames": [],
        "failedTaskNames": [],
        "workflowDefinition": DEFINITION.to_json(),
        "priority": 0,
        "history": [],
        "rateLimited": False,
    }


def test_nullable_fields_appear_once_they_are_set():
    run = a_run(correlation_id="c", parent_id="p", parent_task_id="p.1", reason="no stock", event="e")

    shown = workflow_json(run, [], DEFINITION, described)

    assert shown["correlationId"] == "c"
    assert shown["parentWorkflowId"] == "p"
    assert shown["parentWorkflowTaskId"] == "p.1"
    assert shown["reasonForIncompletion"] == "no stock"
    assert shown["event"] == "e"


def test_tasks_are_shown_only_when_asked_for():
    tasks = [a_task(seq=1), a_task(seq=2)]

    assert [t["taskId"] for t in workflow_json(a_run(), tasks, DEFINITION, described)["tasks"]] == ["w.1", "w.2"]
    assert workflow_json(a_run(), tasks, DEFINITION, described, include_tasks=False)["tasks"] == []


def test_a_task_keeps_nulls_inside_data_and_drops_its_own():
    shown = task_json(a_task(input={"width": None}), a_run(), described(None))

    assert shown["inputData"] == {"width": None}
    assert shown["workflowTask"]["inputParameters"] == {"width": None}
    assert shown["executionMetadata"] == {"additionalContext": {}, "empty": True, "additionalContextMap": {}}
    for absent in ("workerId", "domain", "correlationId", "retriedTaskId", "subWorkflowId", "reasonForIncompletion"):
        assert absent not in shown


def test_an_attempt_names_the_one_before_it_and_its_delay():
    task = a_task(
        seq=5,
        attempt=1,
        retry_of=2,
        scheduled_at=T0,
        visible_at=Instant(T0 + 60_000_000),
        started_at=Instant(T0 + 61_500_000),
        iteration=3,
        status=TaskStatus.IN_PROGRESS,
    )

    shown = task_json(task, a_run(correlation_id="c"), described(task))

    assert (shown["retryCount"], shown["retriedTaskId"]) == (1, "w.2")
    assert (shown["startDelayInSeconds"], shown["queueWaitTime"]) == (60, 1500)
    assert (shown["iteration"], shown["loopOverTask"]) == (3, True)
    assert shown["correlationId"] == "c"
    assert shown["responseTimeoutSeconds"] == 3600


def test_a_summary_prints_iso_times_and_json_texts():
    run = a_run(
        status=WorkflowStatus.FAILED,
        input={"a": 1},
        ended_at=Instant(T0 + 2_000_000),
        failed_refs=("small", "large"),
        failed_names=("resize",),
    )

    shown = summary_json(run)

    assert shown["startTime"] == "2023-11-14T22:13:20.123Z"
    assert shown["executionTime"] == 2000
    assert (shown["input"], shown["inputSize"]) == ('{"a":1}', 7)
    assert (shown["failedReferenceTaskNames"], shown["failedTaskNames"]) == ("small,large", ["resize"])
    assert shown["parentWorkflowId"] == ""
    assert "correlationId" not in shown


def test_an_open_run_has_no_end_in_its_summary_even_after_a_retry():
    assert "endTime" not in summary_json(a_run(ended_at=T0))


def test_the_status_carries_output_and_variables_on_demand():
    run = a_run(output={"o": 1}, variables={"v": 1})

    assert status_json(run, include_output=False, include_variables=False) == {"workflowId": "w", "status": "RUNNING"}
    assert status_json(run, include_output=True, include_variables=True)["variables"] == {"v": 1}


def test_a_task_result_becomes_the_arguments_of_an_update():
    body = {
        "workflowInstanceId": "w",
        "taskId": "w.3",
        "status": "FAILED",
        "outputData": {"x": None},
        "reasonForIncompletion": "r" * 700,
        "workerId": "host-1",
        "callbackAfterSeconds": "5",
    }

    assert read_task_result(body) == (
        "w",
        {
            "taskId": "w.3",
            "status": "FAILED",
            "output": {"x": None},
            "reason": "r" * 500,
            "workerId": "host-1",
            "callbackAfterSeconds": 5,
            "extendLease": False,
        },
    )


@pytest.mark.parametrize("identity", ["x.3", "75c6875d-9ba8-11ef-82ba-0680bfba1f84"])
def test_a_task_that_the_workflow_cannot_have_is_not_found(identity):
    with pytest.raises(NotFound, match=identity):
        read_task_result({"workflowInstanceId": "w", "taskId": identity, "status": "COMPLETED"})


def test_a_bad_task_result_names_every_fault():
    with pytest.raises(BadMessage) as error:
        read_task_result({"workflowInstanceId": "w", "taskId": [3], "status": "TIMED_OUT", "outputData": 3})

    for field in ("taskId", "status", "outputData"):
        assert field in str(error.value)
