"""What holds for every call: what is refused, what is told, and what is not."""

from __future__ import annotations

import threading
from typing import Any

import pytest

pytest.importorskip("grpc", reason="the extra grpc is not installed")
from structlog.testing import capture_logs

from engine.api import runs
from engine.errors import NotFound, StoreUnavailable
from engine.wire.fields import MESSAGE_LIMIT

from .conftest import RUNS, TASKS, GrpcSite, request_of, shown

HEALTH = "grpc.health.v1.Health"


@pytest.mark.parametrize("content", [b"\xff\xff", b"\x0a\x02\xff\xfe"], ids=["no message", "no UTF-8"])
def test_bytes_that_are_no_message_are_refused(door: GrpcSite, content: bytes) -> None:
    code, details = door.refused(lambda: door.send(RUNS, "PauseWorkflow", content).result())
    assert code == "INVALID_ARGUMENT"
    assert "PauseWorkflowRequest" in details


@pytest.mark.parametrize(
    ("service", "method", "fields"),
    [
        (TASKS, "GetTask", {"taskId": "a\0.1"}),
        (TASKS, "GetQueueSizesForTasks", {"taskTypes": ["a", "\0"]}),
        (TASKS, "UpdateTask", {"result": {"taskId": "a\0.1", "workflowInstanceId": "a\0"}}),
        (RUNS, "StartWorkflow", {"name": "a\0"}),
    ],
)
def test_names_that_no_database_can_keep_are_refused(
    door: GrpcSite, service: str, method: str, fields: dict[str, Any]
) -> None:
    code, details = door.refusal(service, method, **fields)
    assert (code, "NUL" in details) == ("INVALID_ARGUMENT", True)


def test_a_message_that_is_too_large_is_refused(door: GrpcSite) -> None:
    code, _ = door.refused(lambda: door.send(TASKS, "AddLog", bytes(MESSAGE_LIMIT + 1)).result())
    assert code == "RESOURCE_EXHAUSTED"


def test_a_method_that_is_not_there_is_unimplemented(door: GrpcSite) -> None:
    code, _ = door.refused(lambda: door.channel.unary_unary(f"/{TASKS}/AckTask")(b""))
    assert code == "UNIMPLEMENTED"


def fails_with(error: Exception) -> Any:
    def fail(*_: Any) -> None:
        raise error

    return fail


def test_a_crash_shows_nothing_of_the_code(door: GrpcSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "one_task_json", fails_with(RuntimeError("the secret is 42")))
    with capture_logs() as logs:
        code, details = door.refusal(TASKS, "GetTask", taskId="a.1")
    assert code == "INTERNAL"
    assert "its log says why" in details
    assert "42" not in details
    assert [(each["event"], each["method"]) for each in logs] == [("call.crashed", f"{TASKS}.GetTask")]


def test_a_database_that_is_away_is_worth_another_try(door: GrpcSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "one_task_json", fails_with(StoreUnavailable("connection to 10.0.0.7 refused")))
    code, details = door.refusal(TASKS, "GetTask", taskId="a.1")
    assert code == "UNAVAILABLE"
    assert "10.0.0.7" not in details


def test_a_long_sentence_is_cut_to_what_a_header_carries(door: GrpcSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "one_task_json", fails_with(NotFound("ä" * 10_000)))
    code, details = door.refusal(TASKS, "GetTask", taskId="a.1")
    assert code == "NOT_FOUND"
    assert details.startswith("ää")
    assert details.endswith("ä …")


def test_a_crowd_is_turned_away_but_polls_and_probes_are_not(door: GrpcSite, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, leave = threading.Event(), threading.Event()

    def wait(*_: Any) -> dict[str, str]:
        inside.set()
        assert leave.wait(30)
        return {}

    monkeypatch.setattr(runs, "one_task_json", wait)
    first = door.begin(TASKS, "GetTask", taskId="a.1")
    assert inside.wait(30)
    monkeypatch.setattr(door.door, "_most", 1)
    try:
        code, details = door.refusal(RUNS, "PauseWorkflow", workflowId="nobody")
        assert (code, details) == ("RESOURCE_EXHAUSTED", "1 calls are under way: come again in a moment.")
        assert door.ask(TASKS, "Poll", taskType=door.kind) == {}
        assert door.ask(HEALTH, "Check") == {"status": "SERVING"}
    finally:
        leave.set()
    first.result()


def test_the_audit_trail_names_whom_a_proxy_names(door: GrpcSite) -> None:
    run = door.started()
    path = f"/{RUNS}/PauseWorkflow"
    request = request_of(RUNS, "PauseWorkflow")
    request.workflow_id = run
    door.channel.unary_unary(path)(request.SerializeToString(), metadata=[("x-forwarded-user", "ada")])
    asked = door.client.get(f"/api/workflow/{run}/requests").json()
    assert [each["by"] for each in asked if each["request"] == "pause"] == ["ada"]


def test_the_health_of_the_server_is_that_of_every_service(door: GrpcSite) -> None:
    assert door.ask(HEALTH, "Check") == door.ask(HEALTH, "Check", service=TASKS) == {"status": "SERVING"}
    assert door.refusal(HEALTH, "Check", service="nothing")[0] == "NOT_FOUND"


def test_a_server_that_cannot_work_says_so(door: GrpcSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.api.grpc.health.health_results", lambda *_: [{"healthy": False}])
    assert door.ask(HEALTH, "Check") == {"status": "NOT_SERVING"}


def test_whoever_watches_the_health_is_told_at_once_and_when_it_changes(
    own_door: GrpcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = [True]
    monkeypatch.setattr("engine.api.grpc.health.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("engine.api.grpc.health.health_results", lambda *_: [{"healthy": healthy[0]}])
    watch, stranger = own_door.begin(HEALTH, "Watch"), own_door.begin(HEALTH, "Watch", service="nothing")
    assert (shown(next(watch)), shown(next(stranger))) == ({"status": "SERVING"}, {"status": "SERVICE_UNKNOWN"})
    healthy[0] = False
    assert shown(next(watch)) == {"status": "NOT_SERVING"}
    healthy[0] = True
    assert shown(next(watch)) == {"status": "SERVING"}
    assert own_door.client.portal is not None
    own_door.client.portal.call(own_door.door.leave)
    assert [shown(each) for each in (*watch, *stranger)] == [{"status": "NOT_SERVING"}] * 2


def test_the_server_tells_what_it_serves(door: GrpcSite) -> None:
    database = pytest.importorskip("grpc_reflection.v1alpha.proto_reflection_descriptor_database")
    told = database.ProtoReflectionDescriptorDatabase(door.channel)
    assert {TASKS, RUNS, HEALTH} <= set(told.get_services())
    found = told.FindFileContainingSymbol(TASKS)
    assert "BatchPoll" in {method.name for service in found.service for method in service.method}


def test_a_door_that_closes_ends_the_polls_that_wait_and_takes_no_more(own_door: GrpcSite) -> None:
    waiting = own_door.begin(TASKS, "BatchPoll", taskType=own_door.kind, timeout=5000)
    while not own_door.client.get("/api/tasks/queue/polldata", params={"taskType": own_door.kind}).json():
        pass
    own_door.distributor.rest()
    assert own_door.client.portal is not None
    own_door.client.portal.call(own_door.door.leave)
    assert [shown(each) for each in waiting] == []
    assert own_door.refusal(TASKS, "Poll", taskType=own_door.kind)[0] == "UNAVAILABLE"


def test_a_poll_whose_broker_is_away_is_worth_another_try(own_door: GrpcSite) -> None:
    own_door.distributor.close()
    code, details = own_door.refusal(TASKS, "Poll", taskType=own_door.kind)
    assert code == "UNAVAILABLE"
    assert details == "The broker is away: try again in a moment. The server's log says more."
