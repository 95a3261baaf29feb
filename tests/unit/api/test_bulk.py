"""One operation for many runs: all are asked at once, each is granted or refused by itself."""

import pytest
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.clock import Instant
from engine.decider.validate import check_workflow
from engine.model.execution import Workflow
from engine.model.request import Outcome
from engine.store.port import Save

IDS = [f"w{number}" for number in range(30)]


@pytest.mark.parametrize(
    ("method", "path", "verb", "arguments"),
    [
        ("PUT", "pause", "pause", {}),
        ("PUT", "resume", "resume", {}),
        ("POST", "terminate?reason=enough", "terminate", {"reason": "enough"}),
        (
            "POST",
            "terminate?triggerFailureWorkflow=true",
            "terminate",
            {"reason": None, "triggerFailureWorkflow": True},
        ),
        ("POST", "retry", "retry", {"resumeSubworkflowTasks": False}),
        ("POST", "restart", "restart", {"useLatestDefinitions": False}),
        ("POST", "restart?useLatestDefinitions=true", "restart", {"useLatestDefinitions": True}),
        ("DELETE", "remove", "remove", {"archiveWorkflow": True}),
    ],
)
def test_every_run_is_asked_by_itself(client, decider, method, path, verb, arguments):
    response = client.request(method, f"/api/workflow/bulk/{path}", json=IDS)

    assert response.json() == {"bulkErrorResults": {}, "bulkSuccessfulResults": IDS}
    assert {request.workflow_id for request in decider.asked} == set(IDS)
    assert {(request.verb, tuple(request.arguments.items())) for request in decider.asked} == {
        (verb, tuple(arguments.items()))
    }


def test_refusals_stand_beside_their_runs(client, decider):
    decider.outcome = Outcome(granted=False, code=409, message="it has ended")

    response = client.put("/api/workflow/bulk/pause", json=["a", "b", "a"])

    assert response.status_code == 200
    assert response.json() == {
        "bulkErrorResults": {"a": "it has ended", "b": "it has ended"},
        "bulkSuccessfulResults": [],
    }


def test_runs_that_no_decider_answers_for_are_named_within_one_time_limit(store, hub):
    requester = Requester(hub.connect, 2, timeout_seconds=0.2)
    with TestClient(create_app(store, requester)) as client:
        told = client.put("/api/workflow/bulk/pause", json=IDS).json()

    assert set(told["bulkErrorResults"]) == set(IDS)
    assert "No decider answered" in told["bulkErrorResults"]["w0"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "names 0 workflows"),
        ([str(number) for number in range(1_001)], "names 1001 workflows"),
        ({"ids": ["a"]}, "must be a list"),
        ([1], "must be a list"),
        ([""], "must be a list"),
    ],
)
def test_a_body_that_is_no_list_of_ids_is_refused(client, body, sentence):
    response = client.put("/api/workflow/bulk/pause", json=body)

    assert response.status_code == 400
    assert sentence in response.json()["message"]


def test_a_search_returns_whole_runs_and_names_those_that_are_not_there(client, store):
    definition = check_workflow({"name": "order", "tasks": [{"name": "a", "taskReferenceName": "a"}]})
    run = Workflow(id="w", name="order", version=1, definition_hash="h", created_at=Instant(1), version_no=1)
    with store.transaction() as tx:
        tx.put_snapshot({"h": definition})
        tx.save([Save(workflow=run, loaded_version=None)])

    told = client.post("/api/workflow/bulk/search?includeTasks=false", json=["w", "nope"]).json()

    assert told["bulkSuccessfulResults"] == [client.get("/api/workflow/w?includeTasks=false").json()]
    assert list(told["bulkErrorResults"]) == ["nope"]


@pytest.mark.parametrize("path", ["remove?archiveWorkflow=false", "terminate-remove?archiveWorkflow=false"])
def test_open_runs_are_terminated_before_they_are_removed(client, decider, path):
    told = client.request("DELETE", f"/api/workflow/bulk/{path}", json=["v", "w"]).json()

    assert told == {"bulkErrorResults": {}, "bulkSuccessfulResults": ["v", "w"]}
    assert [request.verb for request in decider.asked] == ["terminate", "terminate", "remove", "remove"]
    assert decider.asked[-1].arguments == {"archiveWorkflow": False}


def test_what_cannot_be_terminated_is_not_removed(client, decider):
    decider.outcome = Outcome(granted=False, code=409, message="no")

    told = client.request("DELETE", "/api/workflow/bulk/terminate-remove?reason=x", json=["v"]).json()

    assert told == {"bulkErrorResults": {"v": "no"}, "bulkSuccessfulResults": []}
    assert [(request.verb, request.arguments) for request in decider.asked] == [("terminate", {"reason": "x"})]
