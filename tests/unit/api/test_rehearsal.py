"""The workflow test over HTTP: mocked tasks, and nothing left in the store."""

from __future__ import annotations

import json

import pytest

from engine.store.port import WorkflowQuery

ORDER = {
    "name": "order",
    "tasks": [
        {"name": "price", "taskReferenceName": "price", "inputParameters": {"lines": "${workflow.input.lines}"}},
        {"name": "pause", "taskReferenceName": "pause", "type": "WAIT", "inputParameters": {"duration": "30 days"}},
        {
            "name": "pay",
            "taskReferenceName": "pay",
            "type": "SUB_WORKFLOW",
            "inputParameters": {"sum": "${price.output.sum}"},
            "subWorkflowParam": {"name": "paying"},
        },
    ],
    "outputParameters": {"paid": "${pay.output.paid}"},
}
PAYING = {
    "name": "paying",
    "tasks": [{"name": "charge", "taskReferenceName": "charge"}],
    "outputParameters": {"paid": "${charge.output.paid}"},
}
MOCKS = {
    "taskRefToMockOutput": {"price": [{"output": {"sum": 3}, "executionTime": 1500}]},
    "subWorkflowTestRequest": {
        "pay": {
            "name": "paying",
            "taskRefToMockOutput": {
                "charge": [{"status": "FAILED", "reasonForIncompletion": "no money"}, {"output": {"paid": 3}}]
            },
        }
    },
}


@pytest.fixture
def registered(client):
    client.post("/api/metadata/workflow", json=ORDER)
    client.post("/api/metadata/workflow", json=PAYING)
    client.post("/api/metadata/taskdefs", json=[{"name": "charge", "retryCount": 1, "retryDelaySeconds": 3600}])
    return client


def test_a_registered_workflow_is_tested_with_mocks_and_leaves_no_run(registered, store):
    response = registered.post("/api/workflow/test", json={"name": "order", "input": {"lines": [1]}, **MOCKS})

    run = response.json()
    assert (response.status_code, run["status"], run["output"]) == (200, "COMPLETED", {"paid": 3})
    assert [task["referenceTaskName"] for task in run["tasks"]] == ["price", "pause", "pay"]
    assert run["tasks"][0]["inputData"] == {"lines": [1]}
    assert run["endTime"] - run["startTime"] >= 30 * 86_400_000 + 3_600_000 + 1_500
    assert "Baton-Warnings" not in response.headers
    with store.transaction() as tx:
        assert tx.find(WorkflowQuery()) == (0, ())


def test_what_lacks_a_mock_leaves_it_running_and_is_named(registered):
    response = registered.post("/api/workflow/test", json={"name": "order"})

    assert response.json()["status"] == "RUNNING"
    assert json.loads(response.headers["Baton-Warnings"]) == [{"message": "no mock is left for 'price'"}]


def test_definitions_may_come_with_the_request(client):
    child = {"workflowDef": PAYING, "taskRefToMockOutput": {"charge": [{"output": {"paid": 7}}]}}
    request = {
        "name": "order",
        "workflowDef": ORDER,
        "taskRefToMockOutput": {"price": [{}]},
        "subWorkflowTestRequest": {"pay": child},
    }

    assert client.post("/api/workflow/test", json=request).json()["output"] == {"paid": 7}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"name": "nobody"}, 404, "No such workflow defined. name=nobody, version=null"),
        ({}, 400, "name"),
        ({"name": "order", "taskRefToMockOutput": {"price": {}}}, 400, "must be a list"),
        ({"name": "order", "taskRefToMockOutput": {"price": [{"status": "LOST"}]}}, 400, "mock of price"),
        ({"name": "order", "subWorkflowTestRequest": {"pay": 7}}, 400, "test request of pay"),
        ({"name": "x", "workflowDef": {"name": "x"}}, 400, "at least one task"),
        ({"name": "order", "input": 7}, 400, "input"),
    ],
)
def test_bad_requests_are_told(registered, body, status, words):
    response = registered.post("/api/workflow/test", json=body)

    assert response.status_code == status
    assert words in response.json()["message"]


def test_a_script_that_never_ends_fails_its_task(client):
    script = {"expression": "while (true) {}"}
    flow = {
        "name": "x",
        "tasks": [{"name": "i", "taskReferenceName": "i", "type": "INLINE", "inputParameters": script}],
    }

    assert client.post("/api/workflow/test", json={"name": "x", "workflowDef": flow}).json()["status"] == "FAILED"


def test_a_program_that_never_ends_is_ended(client, monkeypatch):
    monkeypatch.setattr("engine.api.rehearsal_routes._LONGEST_SECONDS", 4.0)
    program = {"queryExpression": "[range(1; 1e12)] | length"}
    flow = {
        "name": "x",
        "tasks": [{"name": "j", "taskReferenceName": "j", "type": "JSON_JQ_TRANSFORM", "inputParameters": program}],
    }

    response = client.post("/api/workflow/test", json={"name": "x", "workflowDef": flow})

    assert response.status_code == 409
    assert "test" in response.json()["message"]
