"""Definitions and event handlers over gRPC."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("grpc", reason="the extra grpc is not installed")

from .conftest import DEFINITIONS, EVENTS, GrpcSite

STEP = {"name": "pack", "taskReferenceName": "pack", "type": "SIMPLE", "retryCount": -1}


def definition(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "version": 1, "tasks": [STEP], "restartable": True, "timeoutPolicy": "ALERT_ONLY", **fields}


def handler(door: GrpcSite, **fields: Any) -> dict[str, Any]:
    start = {"action": "START_WORKFLOW", "startWorkflow": {"name": door.workflow, "input": {"n": 1}}}
    return {"name": f"on_{door.kind}", "event": f"conductor:{door.kind}", "actions": [start], **fields}


def test_a_workflow_is_registered_once_and_may_be_replaced(door: GrpcSite) -> None:
    name = f"ship_{door.kind}"
    door.ask(DEFINITIONS, "CreateWorkflow", workflow=definition(name, outputParameters={"n": 1}))
    found = door.ask(DEFINITIONS, "GetWorkflow", name=name)["workflow"]
    assert (found["version"], found["restartable"], found["timeoutPolicy"]) == (1, True, "ALERT_ONLY")
    assert (found["tasks"][0]["retryCount"], found["outputParameters"]) == (-1, {"n": 1})
    code, details = door.refusal(DEFINITIONS, "CreateWorkflow", workflow=definition(name))
    assert code == "FAILED_PRECONDITION"
    assert "exists already" in details
    door.ask(DEFINITIONS, "UpdateWorkflows", defs=[definition(name, description="new"), definition(name, version=2)])
    assert door.ask(DEFINITIONS, "GetWorkflow", name=name)["workflow"]["version"] == 2
    assert door.ask(DEFINITIONS, "GetWorkflow", name=name, version=1)["workflow"]["description"] == "new"


def test_of_several_workflows_the_good_ones_are_stored(door: GrpcSite) -> None:
    good, bad = f"good_{door.kind}", f"bad_{door.kind}"
    code, details = door.refusal(DEFINITIONS, "UpdateWorkflows", defs=[definition(good), definition(bad, tasks=[])])
    assert code == "INVALID_ARGUMENT"
    assert bad in details
    assert f"Stored: {good}." in details
    assert door.ask(DEFINITIONS, "GetWorkflow", name=good)


def test_a_workflow_is_checked_without_being_stored(door: GrpcSite) -> None:
    name = f"draft_{door.kind}"
    assert door.ask(DEFINITIONS, "ValidateWorkflow", workflow=definition(name)) == {}
    assert door.refusal(DEFINITIONS, "GetWorkflow", name=name)[0] == "NOT_FOUND"
    code, details = door.refusal(DEFINITIONS, "ValidateWorkflow", workflow={"name": name, "tasks": [STEP, STEP]})
    assert code == "INVALID_ARGUMENT"
    assert "pack" in details


def test_tasks_are_registered_replaced_and_forgotten(door: GrpcSite) -> None:
    name = f"task_{door.kind}"
    door.ask(DEFINITIONS, "CreateTasks", defs=[{"name": name, "timeoutPolicy": "TIME_OUT_WF", "inputKeys": ["a"]}])
    found = door.client.get(f"/api/metadata/taskdefs/{name}").json()
    # No retries and no delay is what the message said; the rest it left open.
    assert (found["retryCount"], found["retryDelaySeconds"], found["responseTimeoutSeconds"]) == (0, 0, 3600)
    door.ask(DEFINITIONS, "UpdateTask", task={"name": name, "retryCount": 4})
    assert door.ask(DEFINITIONS, "GetTask", taskType=name)["task"]["retryCount"] == 4
    door.ask(DEFINITIONS, "DeleteTask", taskType=name)
    for method, fields in (("GetTask", {"taskType": name}), ("UpdateTask", {"task": {"name": name}})):
        assert door.refusal(DEFINITIONS, method, **fields)[0] == "NOT_FOUND"
    assert door.refusal(DEFINITIONS, "CreateTasks")[0] == "INVALID_ARGUMENT"


def test_event_handlers_are_added_listed_and_removed(door: GrpcSite) -> None:
    mine = handler(door)
    door.ask(EVENTS, "AddEventHandler", handler=mine)
    assert door.refusal(EVENTS, "AddEventHandler", handler=mine)[0] == "FAILED_PRECONDITION"
    assert door.ask(EVENTS, "GetEventHandlersForEvent", event=mine["event"], activeOnly=True) == []
    door.ask(EVENTS, "UpdateEventHandler", handler={**mine, "active": True})
    (found,) = door.ask(EVENTS, "GetEventHandlersForEvent", event=mine["event"], activeOnly=True)
    assert found["actions"][0]["startWorkflow"] == {"name": door.workflow, "input": {"n": 1}}
    assert mine["name"] in [each["name"] for each in door.ask(EVENTS, "GetEventHandlers")]
    door.ask(EVENTS, "RemoveEventHandler", name=mine["name"])
    assert door.refusal(EVENTS, "RemoveEventHandler", name=mine["name"])[0] == "NOT_FOUND"


def test_a_handler_that_messages_can_only_half_say_is_not_listed(door: GrpcSite) -> None:
    ends = {"action": "terminate_workflow", "terminate_workflow": {"workflowId": "${workflowId}"}}
    mine = {**handler(door), "actions": [ends], "active": True}
    assert door.client.post("/api/event", json=mine).status_code == 200
    assert door.ask(EVENTS, "GetEventHandlersForEvent", event=mine["event"]) == []


@pytest.mark.parametrize("event", ["", "amqp_queue:"])
def test_a_handler_of_a_senseless_event_is_refused(door: GrpcSite, event: str) -> None:
    assert door.refusal(EVENTS, "AddEventHandler", handler={**handler(door), "event": event})[0] == "INVALID_ARGUMENT"
