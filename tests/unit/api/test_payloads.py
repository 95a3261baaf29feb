"""Payloads that are kept outside: where they are, sending one before a start, and reading one afterwards."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.model.payload import StoredOutside
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Save
from tests.conformance.store.runs import a_run, a_task
from tests.unit.api.conftest import PARTITIONS, FixedClock


@pytest.fixture
def storage(tmp_path):
    return PayloadStorage(f"file://{tmp_path}")


@pytest.fixture
def client(store, hub, storage):
    requester = Requester(hub.connect, PARTITIONS, timeout_seconds=5.0, back_off_seconds=0.01)
    app = create_app(store, requester, clock=FixedClock(), payloads=storage)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def location(client, **query):
    return client.get("/api/workflow/externalstoragelocation", params=query)


def test_an_input_that_was_sent_before_becomes_that_of_the_run(client, decider):
    place = location(client, operation="WRITE", payloadType="WORKFLOW_INPUT").json()
    assert client.put(place["uri"], json={"n": 1}).status_code == 200
    client.post("/api/workflow", json={"name": "order", "externalInputPayloadStoragePath": place["path"]})
    assert decider.asked[0].input == {"n": 1}


def test_an_output_that_was_sent_before_becomes_that_of_the_task(client, decider):
    place = client.get("/api/tasks/externalstoragelocation", params={"operation": "WRITE"}).json()
    client.put(place["uri"], json={"n": 1})
    client.post(
        "/api/tasks",
        json={
            "taskId": "run.1",
            "workflowInstanceId": "run",
            "status": "COMPLETED",
            "externalOutputPayloadStoragePath": place["path"],
        },
    )
    assert decider.asked[0].arguments["output"] == {"n": 1}


def test_a_run_shows_where_its_payloads_are_and_they_can_be_read_there(client, store, storage):
    path = storage.put("run", b'{"n":1}')
    outside = StoredOutside(path, 7, {"n": 1})
    with store.transaction() as transaction:
        run, task = a_run(input=outside), replace(a_task(), output=outside)
        transaction.put_snapshot({"h": _definition()})
        transaction.save([Save(workflow=run, loaded_version=None, inserted=[task])])
    shown = client.get("/api/workflow/run").json()
    assert (shown["input"], shown["externalInputPayloadStoragePath"]) == ({}, path)
    assert (shown["tasks"][0]["outputData"], shown["tasks"][0]["externalOutputPayloadStoragePath"]) == ({}, path)
    assert client.get(location(client, path=path, operation="READ").json()["uri"]).json() == {"n": 1}


def _definition():
    from engine.decider.validate import check_workflow

    return check_workflow({"name": "order", "tasks": [{"name": "pack", "taskReferenceName": "pack_1"}]})


@pytest.mark.parametrize("path", ["uploads/nothing.json", "../../etc/passwd", "runs/x"])
def test_a_path_that_leads_nowhere_is_refused(client, path):
    assert location(client, path=path, operation="READ").status_code == 404
    answered = client.post("/api/workflow", json={"name": "order", "externalInputPayloadStoragePath": path})
    assert answered.status_code == 400
    assert "externalInputPayloadStoragePath" in answered.json()["message"]


def test_a_payload_that_is_no_object_is_refused(client):
    place = location(client, operation="WRITE").json()
    assert client.put(place["uri"], json=[1]).status_code == 400


def test_an_operation_that_nobody_knows_is_refused(client):
    assert location(client, operation="MOVE").status_code == 400


def test_without_a_storage_the_answer_names_the_setting(store, hub):
    requester = Requester(hub.connect, PARTITIONS, timeout_seconds=5.0, back_off_seconds=0.01)
    with TestClient(create_app(store, requester), raise_server_exceptions=False) as client:
        answered = location(client, operation="WRITE")
    assert answered.status_code == 404
    assert "BATON_PAYLOAD_STORAGE_URL" in answered.json()["message"]
