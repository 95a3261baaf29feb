"""Routes that ask the deciders for something: what is asked, and what comes of the answer."""

import pytest
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.model.event import StartWorkflow
from engine.model.request import Outcome, Request
from engine.wire.partition import queue_of


def test_a_start_is_asked_of_its_partition_and_answered_with_the_id(client, decider):
    decider.outcome = Outcome(granted=True, result={"workflowId": "w-1"})

    response = client.post("/api/workflow", json={"name": "order", "input": {"a": None}, "priority": "7"})

    assert (response.status_code, response.text) == (200, "w-1")
    assert response.headers["content-type"].startswith("text/plain")
    (start,) = decider.asked
    assert isinstance(start, StartWorkflow)
    assert (start.name, start.input, start.priority) == ("order", {"a": None}, 7)


def test_a_start_by_name_takes_the_body_as_input(client, decider):
    response = client.post("/api/workflow/order?version=3&correlationId=c&priority=5", json={"a": 1})

    (start,) = decider.asked
    assert response.text == start.workflow_id
    assert (start.version, start.correlation_id, start.priority, start.input) == (3, "c", 5, {"a": 1})


def test_a_start_repeated_under_one_idempotency_key_names_one_run(client, decider):
    first, again = (client.post("/api/workflow", json={"name": "order", "idempotencyKey": "k"}).text for _ in range(2))

    assert first == again


@pytest.mark.parametrize(
    ("method", "path", "body", "verb", "arguments", "status"),
    [
        ("PUT", "/api/workflow/w/pause", None, "pause", {}, 200),
        ("PUT", "/api/workflow/w/resume", None, "resume", {}, 200),
        ("DELETE", "/api/workflow/w?reason=enough", None, "terminate", {"reason": "enough"}, 200),
        ("DELETE", "/api/workflow/w", None, "terminate", {"reason": None}, 200),
        (
            "DELETE",
            "/api/workflow/w?triggerFailureWorkflow=True",
            None,
            "terminate",
            {"reason": None, "triggerFailureWorkflow": True},
            200,
        ),
        ("POST", "/api/workflow/w/retry", None, "retry", {"resumeSubworkflowTasks": False}, 204),
        ("POST", "/api/workflow/w/resetcallbacks", None, "reset_callbacks", {}, 204),
        (
            "POST",
            "/api/workflow/w/retry?resumeSubworkflowTasks=true",
            None,
            "retry",
            {"resumeSubworkflowTasks": True},
            204,
        ),
        (
            "POST",
            "/api/tasks/w/COMPLETED/signal",
            {"ok": True},
            "signal",
            {"status": "COMPLETED", "output": {"ok": True}},
            200,
        ),
        (
            "POST",
            "/api/tasks/w/approval/FAILED?workerid=me",
            None,
            "update_task",
            {"ref": "approval", "status": "FAILED", "output": {}, "workerId": "me"},
            200,
        ),
        (
            "POST",
            "/api/tasks",
            {"workflowInstanceId": "w", "taskId": "w.3", "status": "COMPLETED"},
            "update_task",
            {
                "taskId": "w.3",
                "status": "COMPLETED",
                "output": {},
                "reason": None,
                "workerId": None,
                "callbackAfterSeconds": 0,
                "extendLease": False,
            },
            200,
        ),
    ],
)
def test_each_route_asks_for_its_verb(client, decider, method, path, body, verb, arguments, status):
    response = client.request(method, path, json=body)

    assert response.status_code == status
    (request,) = decider.asked
    assert isinstance(request, Request)
    assert (request.workflow_id, request.verb, request.arguments) == ("w", verb, arguments)


def test_a_refusal_comes_back_in_conductors_body(client, decider):
    decider.outcome = Outcome(granted=False, code=409, message="w has ended, it cannot be paused.")

    response = client.put("/api/workflow/w/pause")

    assert response.status_code == 409
    body = response.json()
    assert body.pop("instance")
    assert body == {"status": 409, "message": "w has ended, it cannot be paused.", "retryable": False}


def test_silent_deciders_are_a_503_that_says_what_to_start(hub, store):
    requester = Requester(hub.connect, 2, timeout_seconds=0.05)
    with TestClient(create_app(store, requester)) as client:
        response = client.put("/api/workflow/w/pause")

    assert response.status_code == 503
    assert "baton decider" in response.json()["message"]
    assert response.json()["retryable"] is True


@pytest.mark.parametrize("path", ["/api/workflow", "/api/workflow/hello", "/api/workflow/execute/hello/1"])
def test_a_start_that_nobody_answers_says_how_to_ask_for_the_same_run_again(hub, store, path):
    requester = Requester(hub.connect, 2, timeout_seconds=0.05)
    with TestClient(create_app(store, requester)) as client:
        response = client.post(path, json={"name": "hello"})

    told = response.json()
    assert (response.status_code, told["retryable"]) == (503, True)
    assert f'"workflowId": "{told["workflowId"]}"' in told["message"]
    partition = hub.queues[queue_of(told["workflowId"], 2)]
    assert [entry.message.message_id is not None for entry in partition.entries()] == [True]


def test_a_lost_broker_is_a_503_until_it_is_back(hub, client, decider):
    assert client.put("/api/workflow/w/pause").status_code == 200

    hub.disconnect()

    statuses = []
    while not statuses or statuses[-1] != 200:
        statuses.append(client.put("/api/workflow/w/pause").status_code)
    assert set(statuses) <= {200, 503}


@pytest.mark.parametrize(
    ("method", "path", "content", "kind", "status", "text"),
    [
        ("POST", "/api/workflow", b"", "application/json", 400, "empty"),
        ("POST", "/api/workflow", b"{", "application/json", 400, "not JSON"),
        ("POST", "/api/workflow", b"[]", "application/json", 400, "JSON object"),
        ("POST", "/api/workflow", b'{"name": "a", "input": null}', "application/json", 400, "input"),
        ("POST", "/api/workflow", b'{"name": "a"}', "text/plain", 415, "application/json"),
        ("POST", "/api/workflow/a?priority=100", b"{}", "application/json", 400, "priority"),
        ("POST", "/api/workflow/a?version=x", b"{}", "application/json", 400, "version"),
        ("POST", "/api/tasks/w/ref/TIMED_OUT", b"{}", "application/json", 400, "TIMED_OUT"),
        ("POST", "/api/tasks/w/ODD/signal", b"{}", "application/json", 400, "ODD"),
        ("POST", "/api/tasks/w/ref/COMPLETED", b"[1]", "application/json", 400, "JSON object"),
        ("POST", "/api/tasks", b"{}", "application/json", 400, "taskId"),
        ("GET", "/api/nonsense", b"", "application/json", 404, "no GET /api/nonsense"),
        ("PATCH", "/api/workflow/w", b"", "application/json", 405, "method"),
    ],
)
def test_mistakes_of_the_client_are_4xx_with_a_sentence(client, method, path, content, kind, status, text):
    response = client.request(method, path, content=content, headers={"Content-Type": kind})

    assert response.status_code == status
    assert text in response.json()["message"]
    assert response.json()["status"] == status


def test_a_body_above_the_limit_is_refused_before_it_is_kept(client):
    response = client.post("/api/workflow", content=b'"' + b"x" * (17 * 1024 * 1024) + b'"')

    assert response.status_code == 413


def test_a_message_is_answered_with_its_id_and_with_429_when_too_many_wait(client, decider):
    decider.outcome = Outcome(granted=True, result={"messageId": "m-1"})

    response = client.post("/api/workflow/w/messages", json={"text": "hello"})

    assert (response.status_code, response.text) == (200, "m-1")
    (asked,) = decider.asked
    assert (asked.verb, asked.arguments) == ("send_message", {"payload": {"text": "hello"}})

    decider.outcome = Outcome(granted=False, code=429, message="full")
    assert client.post("/api/workflow/w/messages", json={}).status_code == 429


@pytest.mark.parametrize("name", ["%20", "x" * 129, "-", "%F0%9F%90%88", "a%0Ab"])
def test_what_can_be_no_id_is_not_found_and_nobody_is_asked(client, decider, name):
    response = client.put(f"/api/workflow/{name}/pause")
    several = client.put("/api/workflow/bulk/pause", json=[name, "w"])

    assert (response.status_code, "No workflow has the id" in response.json()["message"]) == (404, True)
    assert several.json()["bulkSuccessfulResults"] == ["w"]
    assert [request.workflow_id for request in decider.asked] == ["w"]
