"""Runs over HTTP: shown in Conductor's JSON, searched, and not found."""

import pytest

from engine.clock import Instant
from engine.decider.validate import check_workflow
from engine.model.execution import Task, Workflow
from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.port import Save

DEFINITION = check_workflow(
    {
        "name": "media",
        "tasks": [
            {
                "name": "fork",
                "taskReferenceName": "fork",
                "type": "FORK_JOIN",
                "forkTasks": [[{"name": "resize", "taskReferenceName": "small"}]],
            },
            {"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": ["small"]},
        ],
    }
)


@pytest.fixture
def run(store):
    workflow = Workflow(
        id="w", name="media", version=1, definition_hash="h", created_at=Instant(5_000_000), version_no=1, last_seq=3
    )
    tasks = [
        Task(
            workflow_id="w",
            seq=1,
            ref="fork",
            type="FORK_JOIN",
            name="FORK",
            status=TaskStatus.COMPLETED,
            executed=True,
        ),
        Task(workflow_id="w", seq=2, ref="small", type="SIMPLE", name="resize", parent=1, branch="0", queue="resize"),
        Task(workflow_id="w", seq=3, ref="join", type="JOIN", name="JOIN", position=1, status=TaskStatus.IN_PROGRESS),
    ]
    with store.transaction() as tx:
        tx.put_snapshot({"h": DEFINITION})
        tx.save([Save(workflow=workflow, loaded_version=None, inserted=tasks)])
        for number, status in enumerate((WorkflowStatus.FAILED, WorkflowStatus.COMPLETED)):
            other = Workflow(
                id=f"o{number}",
                name="order",
                version=1,
                definition_hash="h",
                status=status,
                correlation_id="c",
                created_at=Instant(number + 1),
                version_no=1,
            )
            tx.save([Save(workflow=other, loaded_version=None)])
    return workflow


def test_a_run_is_shown_with_its_tasks_and_their_steps(client, run):
    shown = client.get("/api/workflow/w").json()

    assert (shown["workflowId"], shown["status"]) == ("w", "RUNNING")
    assert [(task["taskType"], task["taskDefName"]) for task in shown["tasks"]] == [
        ("FORK", "FORK"),
        ("resize", "resize"),
        ("JOIN", "JOIN"),
    ]
    assert shown["tasks"][1]["workflowTask"]["taskReferenceName"] == "small"


def test_a_run_is_shown_without_its_tasks_on_demand(client, run):
    assert client.get("/api/workflow/w?includeTasks=false").json()["tasks"] == []


def test_the_status_alone_is_cheap(client, run):
    assert client.get("/api/workflow/w/status").json() == {"workflowId": "w", "status": "RUNNING"}


def test_a_task_is_found_by_its_id(client, run):
    assert client.get("/api/tasks/w.2").json()["referenceTaskName"] == "small"


@pytest.mark.parametrize(
    "path", ["/api/workflow/no", "/api/workflow/no/status", "/api/tasks/w.9", "/api/tasks/no.1", "/api/tasks/odd"]
)
def test_what_does_not_exist_is_a_404(client, run, path):
    response = client.get(path)

    assert response.status_code == 404
    assert response.json()["message"]


def test_health_tells_about_database_and_broker(client, hub):
    # The first request waits until the requester has connected.
    client.get("/api/admin/dead")

    body = client.get("/health").json()

    assert body["healthy"] is True
    assert [result["name"] for result in body["healthResults"]] == ["database", "broker"]


@pytest.fixture
def secretive(store):
    """A run whose definition wants card numbers masked."""
    definition = check_workflow(
        {"name": "pay", "maskedFields": ["card"], "tasks": [{"name": "charge", "taskReferenceName": "charge"}]}
    )
    payload = {"card": "4111", "order": {"card": {"number": "4111"}, "lines": [{"card": "4111", "n": 1}]}}
    workflow = Workflow(
        id="p",
        name="pay",
        version=1,
        definition_hash="secretive",
        input=payload,
        output=payload,
        variables={"card": "4111"},
        version_no=1,
        last_seq=1,
    )
    charge = Task(workflow_id="p", seq=1, ref="charge", type="SIMPLE", name="charge", input=payload, output=payload)
    with store.transaction() as tx:
        tx.put_snapshot({"secretive": definition})
        tx.save([Save(workflow=workflow, loaded_version=None, inserted=[charge])])
    return workflow


@pytest.mark.parametrize(
    "path",
    [
        "workflow/p",
        "workflow/p?includeTasks=false",
        "workflow/p/status?includeOutput=true&includeVariables=true",
        "workflow/search?query=workflowType=pay",
        "tasks/p.1",
    ],
)
def test_masked_fields_are_hidden_from_whoever_reads(client, secretive, path):
    answer = client.get(f"/api/{path}")
    assert answer.status_code == 200
    assert "***" in answer.text
    assert "4111" not in answer.text


def test_what_stands_beside_a_masked_field_is_shown(client, secretive):
    assert client.get("/api/workflow/p").json()["input"] == {
        "card": "***",
        "order": {"card": "***", "lines": [{"card": "***", "n": 1}]},
    }
