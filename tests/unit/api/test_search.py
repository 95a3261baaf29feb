"""Searching over HTTP: runs and tasks in Conductor's JSON, and what an answer admits."""

import json

import pytest
from msgspec.structs import replace

from engine.clock import SECOND, Instant
from engine.decider.validate import check_workflow
from engine.model.execution import Task, Workflow
from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.history_port import RemovedRun
from engine.store.port import Save
from engine.store.search_port import FoundRuns

MOMENT = Instant(1_700_000_000_000_000)
BRANCH = {"name": "resize", "taskReferenceName": "small", "type": "SIMPLE"}
DEFINITION = check_workflow(
    {
        "name": "media",
        "maskedFields": ["card"],
        "tasks": [
            {
                "name": "many",
                "taskReferenceName": "many",
                "type": "FORK_JOIN_DYNAMIC",
                "dynamicForkTasksParam": "tasks",
                "dynamicForkTasksInputParamName": "inputs",
                "inputParameters": {"tasks": "${workflow.input.tasks}", "inputs": "${workflow.input.inputs}"},
            },
            {"name": "join", "taskReferenceName": "join", "type": "JOIN"},
        ],
    }
)


@pytest.fixture
def shop(store):
    """Two runs of order, the newer one failed, and one of media with a dynamic fork, the newest."""
    media = Workflow(id="m", name="media", version=1, definition_hash="h", created_at=MOMENT + 2, version_no=1)
    orders = [
        replace(media, id=f"o{number}", name="order", created_at=MOMENT + number, correlation_id="c", status=status)
        for number, status in enumerate((WorkflowStatus.COMPLETED, WorkflowStatus.FAILED))
    ]
    fork = Task(
        workflow_id="m", seq=1, ref="many", type="FORK_JOIN_DYNAMIC", name="FORK", status=TaskStatus.COMPLETED,
        input={"forkedTasks": ["small"], "forkedTaskDefs": [BRANCH]},
    )  # fmt: skip
    small = Task(
        workflow_id="m", seq=2, ref="small", type="SIMPLE", name="resize", parent=1, branch="small", queue="resize",
        status=TaskStatus.FAILED, input={"card": "4111", "size": 5}, scheduled_at=MOMENT, visible_at=MOMENT,
        started_at=MOMENT + SECOND, ended_at=MOMENT + 3 * SECOND, worker="w", reason="torn",
    )  # fmt: skip
    with store.transaction() as tx:
        tx.put_snapshot({"h": DEFINITION})
        tx.save([Save(workflow=run, loaded_version=None) for run in orders])
        tx.save([Save(workflow=media, loaded_version=None, inserted=[fork, replace(small, branch=_branch(fork))])])


def _branch(fork):
    from engine.tasks import task_type

    return next(iter(task_type(fork.type).branches(DEFINITION.tasks[0], fork))).name


def ids(client, path="workflow/search", **params):
    body = client.get(f"/api/{path}", params=params).json()
    return [each.get("workflowId") for each in body["results"]]


def test_runs_are_found_by_their_fields_words_and_in_an_order(client, shop):
    assert ids(client) == ["m", "o1", "o0"]
    assert ids(client, query="workflowType IN (ord*) AND status IN (FAILED)") == ["o1"]
    assert ids(client, query="startTime>1699999999999 AND workflowType IN (order)", sort="startTime:ASC") == [
        "o0",
        "o1",
    ]
    assert ids(client, freeText="order") == ["o1", "o0"]
    assert ids(client, topLevelOnly="True", classifier="workflow") == ["m", "o1", "o0"]
    assert ids(client, start=1, size=1) == ["o1"]


def test_runs_are_found_by_the_kind_of_their_workflow(client, store, shop):
    assert ids(client, classifier="agent") == []
    steps = [{"name": "t", "taskReferenceName": "t"}]
    with store.transaction() as tx:
        tx.register_workflow(check_workflow({"name": "media", "tasks": steps}), overwrite=True)
        order = check_workflow({"name": "order", "metadata": {"classifier": "agent"}, "tasks": steps})
        tx.register_workflow(order, overwrite=True)
    assert ids(client, classifier="agent") == ["o1", "o0"]
    assert ids(client, classifier="workflow") == ["m"]
    assert ids(client, classifier="workflow, agent") == ["m", "o1", "o0"]
    assert ids(client, classifier="agent", query="status = FAILED") == ["o1"]
    assert ids(client, query="classifier = agent OR status = RUNNING") == ["m", "o1", "o0"]
    assert ids(client, query="NOT classifier = a*") == ["m"]


def test_a_run_is_found_as_a_summary_or_whole_without_its_tasks(client, shop):
    summary = client.get("/api/workflow/search", params={"query": "workflowId = o1"}).json()
    assert summary["totalHits"] == 1
    assert (summary["results"][0]["workflowType"], summary["results"][0]["correlationId"]) == ("order", "c")
    whole = client.get("/api/workflow/search-v2", params={"query": "workflowId = m"}).json()["results"][0]
    assert (whole["workflowName"], whole["tasks"]) == ("media", [])
    assert whole["workflowDefinition"]["tasks"]


@pytest.mark.parametrize("path", ["workflow/search-by-tasks", "workflow/search-by-tasks-v2"])
def test_runs_are_found_by_their_tasks(client, shop, path):
    assert ids(client, path, query="status = FAILED AND taskDefName = resize") == ["m"]
    assert ids(client, path, query="status = FAILED AND workflowType = order") == []
    assert ids(client, path, sort="workflowType:DESC") == ["m"]


def test_a_task_is_found_as_a_summary(client, shop):
    body = client.get("/api/tasks/search", params={"query": "taskType = resize"}).json()

    assert body["totalHits"] == 1
    assert body["results"][0] | {"input": json.loads(body["results"][0]["input"])} == {
        "workflowId": "m",
        "workflowType": "media",
        "scheduledTime": "2023-11-14T22:13:20.000Z",
        "startTime": "2023-11-14T22:13:21.000Z",
        "updateTime": "1970-01-01T00:00:00.000Z",
        "endTime": "2023-11-14T22:13:23.000Z",
        "status": "FAILED",
        "reasonForIncompletion": "torn",
        "executionTime": 2_000,
        "queueWaitTime": 1_000,
        "taskDefName": "resize",
        "taskType": "resize",
        "referenceTaskName": "small",
        "input": {"card": "***", "size": 5},
        "output": "{}",
        "taskId": "m.2",
        "workflowPriority": 0,
    }


def test_a_task_of_a_dynamic_fork_is_found_whole_with_its_step(client, shop):
    (task,) = client.get("/api/tasks/search-v2", params={"query": "taskId = m.2"}).json()["results"]

    assert (task["taskType"], task["workflowTask"]["taskReferenceName"]) == ("resize", "small")
    assert task == client.get("/api/tasks/m.2").json()


def test_the_tasks_of_a_run_come_page_by_page(client, shop):
    def page(query=""):
        body = client.get(f"/api/workflow/m/tasks{query}").json()
        return body["totalHits"], [each["taskId"] for each in body["results"]]

    assert page() == (2, ["m.1", "m.2"])
    assert page("?start=1&count=1") == (2, ["m.2"])
    assert page("?status=FAILED&status=TIMED_OUT") == (1, ["m.2"])
    assert page("?status=ODD") == (0, [])
    assert client.get("/api/workflow/m/tasks?start=1").json()["results"] == [client.get("/api/tasks/m.2").json()]
    assert client.get("/api/workflow/nobody/tasks").status_code == 404
    assert client.get("/api/workflow/m/tasks?count=5001").status_code == 400


def test_the_tasks_of_an_archived_run_come_page_by_page_too(client, shop, store):
    document = {"workflowId": "gone", "tasks": [{"taskId": "gone.1", "status": "FAILED"}, {"status": "COMPLETED"}]}
    with store.transaction() as tx:
        tx.remove([RemovedRun(workflow_id="m", at=MOMENT, document=document)])

    assert client.get("/api/workflow/m/tasks?status=FAILED").json() == {
        "totalHits": 1,
        "results": [{"taskId": "gone.1", "status": "FAILED"}],
    }


def test_a_run_is_shown_without_its_payloads_on_demand(client, shop):
    shown = client.get("/api/workflow/m?includePayloads=false").json()

    assert [(task["inputData"], task["workflowTask"]["taskReferenceName"]) for task in shown["tasks"]] == [
        ({}, "many"),
        ({}, "small"),
    ]
    assert (shown["input"], shown["output"], shown["variables"]) == ({}, {}, {})
    assert client.get("/api/workflow/m?includePayloads=false&includeTasks=false").json()["tasks"] == []


def test_a_run_that_a_page_asks_for_summarized_has_its_inputs_and_outputs(client, shop):
    assert client.get("/api/workflow/m?summarize=true").json() == client.get("/api/workflow/m").json()


def test_an_answer_admits_what_was_not_looked_at(client, store, shop, monkeypatch):
    def searched(found):
        monkeypatch.setattr("engine.testing.memory_search.MemorySearch.search_runs", lambda *_: found)
        return client.get("/api/workflow/search").headers.get("Baton-Warnings", "")

    assert searched(FoundRuns(total=3)) == ""
    assert "at least 10000" in searched(FoundRuns(total=10_000, at_least=True))
    assert "2023-11-14T22:13:20.000Z" in searched(FoundRuns(total=3, at_least=True, back_to=MOMENT))


@pytest.mark.parametrize(
    "params",
    [
        {"query": "colour = red"},
        {"query": "status = ODD"},
        {"query": "nonsense"},
        {"sort": "colour:ASC"},
        {"freeText": "x " * 50},
        {"size": 5001},
        {"size": 0},
        {"start": -1},
        {"start": 2**63 - 1},
        {"start": "x"},
    ],
)
@pytest.mark.parametrize("path", ["workflow/search", "workflow/search-by-tasks-v2", "tasks/search", "tasks/search-v2"])
def test_a_search_beyond_the_grammar_is_refused(client, path, params):
    assert client.get(f"/api/{path}", params=params).status_code == 400
