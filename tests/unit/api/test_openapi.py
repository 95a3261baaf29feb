"""The OpenAPI document: every operation says what it is for, and every example is one that works."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.openapi import examples, page
from engine.api.openapi.document import SHAPES
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.clock import Instant
from engine.decider.validate import check_workflow
from engine.model.execution import Task, Workflow
from engine.polling.distributor import Distributor
from engine.store.port import Save
from engine.testing.memory_store import MemoryStore


@pytest.fixture(scope="module")
def document() -> Any:
    connect = MemoryBroker().connect
    app = create_app(MemoryStore(), Requester(connect, 2), distributor=Distributor(connect, 2))
    return json.loads(json.dumps(app.openapi()))


def operations(document: Any) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def fits(document: Any, name: str, value: Any) -> bool:
    """Return whether a value is as the schema of this name says."""
    text = json.dumps(document["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/")
    return jsonschema_rs.is_valid({"$ref": f"#/$defs/{name}", "$defs": json.loads(text)}, value)


def test_it_is_found_wherever_clients_look(client: TestClient, document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    for path in ("/openapi.json", "/api-docs", "/v3/api-docs"):
        assert client.get(path).json()["components"] == document["components"]
    for path in ("/docs", "/swagger-ui", "/swagger-ui.html", "/swagger-ui/index.html"):
        assert "swagger" in client.get(path).text


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    pytest.importorskip("fastapi_offline", reason="the extra docs is not installed")
    loaded = re.findall(r'(?:src|href)="([^"]*)"', client.get("/docs").text)
    assert sorted(loaded) == ["/docs/favicon.png", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"]
    for path in loaded:
        answer = client.get(path)
        assert (answer.status_code, len(answer.content) > 1_000) == (200, True)


def test_without_those_files_it_loads_them_from_a_cdn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "find_spec", lambda _: None)
    app = FastAPI(docs_url=None)
    page.show(app)
    with TestClient(app) as client:
        assert "https://" in client.get("/docs").text


def test_every_operation_says_what_it_is_for(document: Any) -> None:
    unsaid = [name for name, each in operations(document).items() if name in SHAPES and not each.get("description")]
    assert unsaid == []


def test_nothing_is_said_of_operations_that_are_not_there(document: Any) -> None:
    assert sorted(SHAPES.keys() - operations(document).keys()) == []


def test_no_operation_answers_422(document: Any) -> None:
    for each in operations(document).values():
        assert "422" not in each["responses"]
        assert {"400", "404", "503"} <= each["responses"].keys()


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ("WorkflowDef", examples.WORKFLOW_DEF),
        ("TaskDef", examples.TASK_DEF),
        ("StartWorkflowRequest", examples.START),
        ("TaskResult", examples.TASK_RESULT),
        ("SignalResponse", examples.TOLD),
        ("EventHandler", examples.EVENT_HANDLER),
        ("Schedule", examples.SCHEDULE),
        ("SchemaDef", examples.SCHEMA),
        ("Webhook", examples.WEBHOOK),
    ],
)
def test_an_example_is_as_its_schema_says(document: Any, schema: str, example: Any) -> None:
    assert fits(document, schema, example)


def test_the_examples_can_be_sent_as_they_stand(client: TestClient, decider: Any) -> None:
    for path, example in (
        ("/api/metadata/taskdefs", examples.TASK_DEF),
        ("/api/metadata/workflow", examples.WORKFLOW_DEF),
        ("/api/schema", examples.SCHEMA),
        ("/api/event", examples.EVENT_HANDLER),
        ("/api/scheduler/schedules", examples.SCHEDULE),
        ("/api/metadata/webhook", examples.WEBHOOK),
        ("/api/workflow", examples.START),
        ("/api/tasks", examples.TASK_RESULT),
    ):
        response = client.post(path, json=example)
        assert response.status_code == 200, (path, response.text)
        assert "Baton-Warnings" not in response.headers, path


def test_what_is_shown_of_a_run_is_as_the_schemas_say(client: TestClient, store: Any, document: Any) -> None:
    run = Workflow(
        id="w", name="thumbnails", version=1, definition_hash="h", created_at=Instant(5), version_no=1, last_seq=1
    )
    task = Task(workflow_id="w", seq=1, ref="small", type="SIMPLE", name="resize_image", queue="resize_image")
    with store.transaction() as tx:
        tx.put_snapshot({"h": check_workflow(examples.WORKFLOW_DEF)})
        tx.save([Save(workflow=run, loaded_version=None, inserted=[task])])

    shown = client.get("/api/workflow/w").json()
    assert len(shown["tasks"]) == 1
    assert fits(document, "Workflow", shown)
    assert fits(document, "Task", client.get("/api/tasks/w.1").json())
    assert fits(document, "WorkflowStatus", client.get("/api/workflow/w/status").json())
    assert all(fits(document, "WorkflowSummary", each) for each in client.get("/api/workflow/search").json()["results"])
    assert fits(document, "Error", client.get("/api/workflow/nobody").json())
