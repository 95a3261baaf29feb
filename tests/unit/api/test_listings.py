"""Runs and open tasks found by what they are called, and looked at afresh by operators."""

import pytest

from engine.clock import Instant
from engine.decider.validate import check_workflow
from engine.model.execution import Task, Workflow
from engine.model.request import Outcome
from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.port import Save

STEP = {"name": "pack", "taskReferenceName": "pack"}


def a_run(identity, began_ms, **fields):
    given = {"name": "order", "version": 1, "definition_hash": "h", "version_no": 1, "last_seq": 1}
    return Workflow(id=identity, created_at=Instant(began_ms * 1000), **(given | fields))


@pytest.fixture(autouse=True)
def runs(store):
    ended = {"status": WorkflowStatus.COMPLETED}
    every = [
        a_run("a", 1, correlation_id="blue"),
        a_run("b", 2, correlation_id="blue", **ended),
        a_run("c", 3, correlation_id="red", name="refund"),
        a_run("d", 4, status=WorkflowStatus.PAUSED),
    ]
    with store.transaction() as tx:
        tx.put_snapshot({"h": check_workflow({"name": "order", "tasks": [STEP]})})
        for run in every:
            done = TaskStatus.COMPLETED if run.status.is_terminal else TaskStatus.SCHEDULED
            task = Task(workflow_id=run.id, seq=1, ref="pack", type="SIMPLE", name="pack", queue="pack", status=done)
            tx.save([Save(workflow=run, loaded_version=None, inserted=[task])])


def ids(listed):
    return [each["workflowId"] for each in listed]


def test_running_ones_are_found_by_name(client):
    assert client.get("/api/workflow/running/order?version=1").json() == ["d", "a"]
    assert client.get("/api/workflow/running/nobody").json() == []


def test_with_two_times_all_that_began_between_them_are_found(client):
    assert client.get("/api/workflow/running/order?startTime=2&endTime=4").json() == ["d", "b"]
    assert client.get("/api/workflow/running/order?startTime=-1&endTime=4").status_code == 400


def test_correlated_ones_are_found_by_name_and_correlation_id(client):
    path = "/api/workflow/order/correlated/blue"

    assert ids(client.get(path).json()) == ["a"]
    closed = client.get(path, params={"includeClosed": "True", "includeTasks": "true"}).json()
    assert (ids(closed), len(closed[0]["tasks"])) == (["b", "a"], 1)
    several = client.post("/api/workflow/order/correlated?includeClosed=true", json=["blue", "red"]).json()
    assert {name: ids(found) for name, found in several.items()} == {"blue": ["b", "a"], "red": []}
    names = {"workflowNames": ["order", "refund"], "correlationIds": ["blue", "red"]}
    batch = client.post("/api/workflow/correlated/batch", json=names).json()
    assert {name: ids(found) for name, found in batch.items()} == {"blue": ["a"], "red": ["c"]}


@pytest.mark.parametrize("body", [{}, ["a", 1], None])
def test_correlation_ids_are_a_list_of_texts(client, body):
    assert client.post("/api/workflow/order/correlated", json=body).status_code == 400


def test_the_size_of_a_run_is_told_in_bytes(client):
    assert client.get("/api/workflow/a/size").json() == {"sizeBytes": 0, "limitBytes": 0, "ratio": 0}
    assert client.get("/api/workflow/nobody/size").status_code == 404


def test_open_tasks_of_one_name_are_listed(client):
    def found(query=""):
        return [each["taskId"] for each in client.get(f"/api/admin/task/pack{query}").json()]

    assert found() == ["a.1", "c.1", "d.1"]
    assert found("?start=1&count=1") == ["c.1"]
    assert client.get("/api/admin/task/pack?count=1001").status_code == 400


def test_operators_have_a_run_looked_at(client, decider):
    assert client.post("/api/admin/sweep/requeue/a").text == "true.a"
    assert client.post("/api/admin/consistency/verifyAndRepair/a").text == "false"
    assert [request.verb for request in decider.asked] == ["decide", "decide"]

    decider.outcome = Outcome(granted=False, code=404, message="No workflow has the id 'x'.")
    assert client.post("/api/admin/sweep/requeue/x").status_code == 404


def test_a_report_by_the_queues_path_is_a_report_like_any_other(client, decider):
    assert client.post("/api/queue/update/a/approval/COMPLETED", json={"ok": True}).status_code == 200
    assert client.post("/api/queue/update/a/task/a.1/FAILED").status_code == 200
    assert client.post("/api/queue/update/a/approval/ODD").status_code == 400

    by_ref, by_id = (request.arguments for request in decider.asked)
    assert by_ref == {"ref": "approval", "status": "COMPLETED", "output": {"ok": True}}
    assert by_id == {"taskId": "a.1", "status": "FAILED", "output": {}}


def test_queues_of_reports_are_none_and_of_handlers_as_they_are_named(client):
    assert client.get("/api/queue/size").json() == client.get("/api/queue/").json() == {}
    action = {"action": "start_workflow", "start_workflow": {"name": "order"}}
    handler = {"name": "orders", "event": "amqp_queue:orders", "actions": [action], "active": True}
    assert client.post("/api/event", json=handler).status_code == 200

    assert client.get("/api/admin/queues").json() == {"amqp_queue:orders": "amqp_queue:orders"}
    assert client.get("/api/admin/queues?verbose=true").json() == {"amqp_queue:orders": ["orders"]}
