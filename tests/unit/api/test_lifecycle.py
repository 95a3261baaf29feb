"""Restart, rerun and their kin over HTTP; what runs have been, and who asked for what, can be read."""

import pytest

from engine.testing.harness import Harness
from tests.unit.decider.steps import echo, fails_for_good, run_of, step


@pytest.mark.parametrize(
    ("method", "path", "body", "verb", "arguments", "status"),
    [
        ("POST", "/api/workflow/w/restart", None, "restart", {"useLatestDefinitions": False}, 204),
        (
            "POST",
            "/api/workflow/w/restart?useLatestDefinitions=true",
            None,
            "restart",
            {"useLatestDefinitions": True},
            204,
        ),
        ("POST", "/api/workflow/w/rerun", {}, "rerun", {}, 200),
        ("PUT", "/api/workflow/w/skiptask/a", None, "skip_task", {"ref": "a"}, 200),
        ("DELETE", "/api/workflow/w/remove", None, "remove", {"archiveWorkflow": True}, 200),
        ("PUT", "/api/workflow/decide/w", None, "decide", {}, 200),
        ("POST", "/api/workflow/w/jump/a", {"x": 1}, "jump", {"ref": "a", "taskInput": {"x": 1}}, 200),
        ("POST", "/api/workflow/w/jump/a", None, "jump", {"ref": "a", "taskInput": {}}, 200),
        ("POST", "/api/workflow/w/upgrade", {"name": "n", "version": 2}, "upgrade", {"name": "n", "version": 2}, 200),
        (
            "PUT",
            "/api/workflow/w/skiptask/a",
            {"taskInput": {"i": 1}, "taskOutput": {"o": 2}, "taskInputMessage": None},
            "skip_task",
            {"ref": "a", "taskInput": {"i": 1}, "taskOutput": {"o": 2}},
            200,
        ),
        (
            "POST",
            "/api/workflow/w/rerun",
            {"reRunFromWorkflowId": "x", "reRunFromTaskId": "w.3", "taskInput": {"a": 1}, "workflowInput": None},
            "rerun",
            {"reRunFromTaskId": "w.3", "taskInput": {"a": 1}},
            200,
        ),
        (
            "POST",
            "/api/workflow/w/rerun",
            {"workflowInput": {"b": 2}, "correlationId": "c"},
            "rerun",
            {"workflowInput": {"b": 2}, "correlationId": "c"},
            200,
        ),
    ],
)
def test_each_route_asks_for_its_verb(client, decider, method, path, body, verb, arguments, status):
    response = client.request(method, path, json=body)

    assert response.status_code == status
    (request,) = decider.asked
    assert (request.workflow_id, request.verb, request.arguments) == ("w", verb, arguments)


def test_a_rerun_is_answered_with_the_id(client, decider):
    assert client.post("/api/workflow/w/rerun").text == "w"


def test_who_asks_is_what_the_proxy_says(client, decider):
    client.post("/api/workflow/w/restart", headers={"X-Forwarded-User": " ann "})
    client.post("/api/workflow/w/restart")
    client.put("/api/workflow/bulk/pause", json=["v"], headers={"X-Remote-User": "b" * 500})
    assert [request.by for request in decider.asked] == ["ann", None, "b" * 200]


def test_what_a_run_has_been_can_be_read(client, store):
    harness = Harness(store=store)
    run = run_of(harness, step("a"), step("b"), step("c"), given={"secret": "s", "n": 1}, maskedFields=["secret"])
    harness.work({"a": echo, "b": fails_for_good})
    harness.request(run, "rerun", reRunFromTaskId=f"{run}.2")
    harness.work({"a": echo, "b": echo, "c": fails_for_good})
    harness.request(run, "restart")

    first, second = client.get(f"/api/workflow/{run}/history").json()

    def shown(each):
        return [(task["seq"], task["referenceTaskName"], task["status"]) for task in each["tasks"]]

    assert shown(first) == [(1, "a", "COMPLETED"), (2, "b", "FAILED_WITH_TERMINAL_ERROR")]
    assert shown(second) == [(1, "a", "COMPLETED"), (3, "b", "COMPLETED"), (4, "c", "FAILED_WITH_TERMINAL_ERROR")]
    assert (first["status"], first["failedReferenceTaskNames"]) == ("FAILED", ["b"])
    assert first["input"] != {"secret": "s", "n": 1}
    assert shown(client.get(f"/api/workflow/{run}").json()) == [(5, "a", "SCHEDULED")]


def test_who_has_asked_for_what_can_be_read(client, store):
    harness = Harness(store=store)
    run = run_of(harness, step("a"))
    harness.request(run, "terminate", reason="enough")
    harness.request(run, "pause")
    first, second = client.get(f"/api/workflow/{run}/requests").json()
    assert (first["request"], first["arguments"], first["granted"]) == ("terminate", {"reason": "enough"}, True)
    assert (second["request"], second["granted"], second["code"]) == ("pause", False, 409)


@pytest.mark.parametrize("what", ["history", "requests"])
def test_of_a_run_that_is_not_there_nothing_can_be_read(client, what):
    assert client.get(f"/api/workflow/nope/{what}").status_code == 404


@pytest.mark.parametrize(
    ("path", "reason"),
    [("remove?archiveWorkflow=false", "The workflow is removed"), ("terminate-remove?reason=x", "x")],
)
def test_an_open_run_is_terminated_before_it_is_removed(client, decider, path, reason):
    assert client.delete(f"/api/workflow/w/{path}").status_code == 200
    ended, gone = decider.asked
    assert (ended.verb, ended.arguments, gone.verb) == ("terminate", {"reason": reason}, "remove")


def test_an_archived_run_can_still_be_read(client, store):
    harness = Harness(store=store)
    run = run_of(harness, step("a"))
    harness.work({"a": fails_for_good})
    harness.request(run, "restart")
    harness.work({"a": echo})
    before = client.get(f"/api/workflow/{run}").json()
    harness.request(run, "remove")

    shown = client.get(f"/api/workflow/{run}").json()
    assert shown["archived"] is True
    assert {name: shown[name] for name in ("status", "tasks", "workflowDefinition", "input")} == {
        name: before[name] for name in ("status", "tasks", "workflowDefinition", "input")
    }
    assert client.get(f"/api/workflow/{run}?includeTasks=false").json()["tasks"] == []
    assert [each["status"] for each in client.get(f"/api/workflow/{run}/history").json()] == ["FAILED"]
    asked = client.get(f"/api/workflow/{run}/requests").json()
    assert [each["request"] for each in asked] == ["restart", "remove"]
    assert client.get("/api/workflow/search").json()["totalHits"] == 0


def test_a_run_that_was_removed_without_an_archive_is_gone(client, store):
    harness = Harness(store=store)
    run = run_of(harness, step("a"))
    harness.request(run, "terminate")
    harness.request(run, "remove", archiveWorkflow=False)
    assert client.get(f"/api/workflow/{run}").status_code == 404
    assert client.get(f"/api/workflow/{run}/history").status_code == 404
    assert [each["request"] for each in client.get(f"/api/workflow/{run}/requests").json()] == ["remove"]


def test_what_is_masked_in_a_run_is_masked_in_what_was_asked_of_it(client, store):
    harness = Harness(store=store)
    run = run_of(harness, step("h", "HUMAN"), maskedFields=["pin"])
    harness.request(run, "signal", output={"pin": 1234, "ok": True})
    (line,) = client.get(f"/api/workflow/{run}/requests").json()
    assert line["arguments"] == {"output": {"pin": "***", "ok": True}}
