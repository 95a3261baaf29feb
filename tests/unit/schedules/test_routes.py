"""What clients of Conductor's scheduler send, and what they get; nothing that cannot work is ever stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.clock import SECOND, Instant, after, milliseconds
from engine.decider.validate import check_workflow
from engine.model.schedule import ExecutionState, ScheduleExecution
from engine.testing.clock import FixedClock
from engine.testing.memory_store import MemoryStore

NOW = Instant(int(datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp()) * SECOND)
STEP = {"name": "write", "taskReferenceName": "write"}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


def a_schedule(**fields: Any) -> dict[str, Any]:
    given = {
        "name": "nightly",
        "cronExpression": "0 0 3 * * *",
        "zoneId": "Europe/Berlin",
        "startWorkflowRequest": {"name": "report", "version": 1, "input": {"to": "Ada"}},
    }
    return {name: value for name, value in (given | fields).items() if value is not ...}


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    with store.transaction() as transaction:
        transaction.register_workflow(check_workflow({"name": "report", "tasks": [STEP]}), overwrite=True)
    return store


@pytest.fixture
def clock() -> FixedClock:
    clock = FixedClock()
    clock.set(NOW)
    return clock


@pytest.fixture
def client(store: MemoryStore, clock: FixedClock) -> Iterator[TestClient]:
    app = create_app(store, Requester(MemoryBroker().connect, 1), clock=clock)
    with TestClient(app, base_url="http://testserver/api/scheduler/") as client:
        yield client


def faults(client: TestClient, **fields: Any) -> dict[str, str]:
    """Return what is wrong with a schedule, by path."""
    answer = client.post("schedules", json=a_schedule(**fields))
    assert answer.status_code == 400, answer.text
    assert client.get("schedules").json() == []
    return {fault["path"]: fault["message"] for fault in answer.json()["validationErrors"]}


def test_a_schedule_is_returned_as_it_is_kept_with_its_next_date(client: TestClient) -> None:
    saved = client.post("schedules", json=a_schedule(description="every night", tags=[{"key": "a", "value": "b"}]))
    assert saved.status_code == 200
    assert saved.json() == {
        **a_schedule(description="every night", tags=[{"key": "a", "value": "b"}]),
        "cronSchedules": [],
        "runCatchupScheduleInstances": False,
        "overlapPolicy": "ALLOW",
        "paused": False,
        "createTime": milliseconds(NOW),
        "updatedTime": milliseconds(NOW),
        # The clock is put forward in this night.
        "nextRunTime": ms("2026-03-29T03:00:00+02:00"),
    }
    assert client.get("schedules/nightly").json() == saved.json()
    assert client.get("schedules").json() == [saved.json()]


def test_what_a_client_has_read_it_may_save_again(client: TestClient, clock: FixedClock) -> None:
    first = client.post("schedules", json=a_schedule()).json()
    clock.set(after(NOW, 5))
    again = client.post("schedules", json={**first, "unknownField": 1, "orgId": "x", "queueMsgId": None}).json()
    assert again == {**first, "updatedTime": milliseconds(NOW) + 5_000}


def test_several_expressions_have_one_next_date(client: TestClient) -> None:
    several = [
        {"cronExpression": "0 0 18 * * *", "zoneId": "Europe/Berlin"},
        {"cronExpression": "0 0 9 * * *", "zoneId": "America/New_York"},
    ]
    saved = client.post("schedules", json=a_schedule(cronExpression=None, cronSchedules=several)).json()
    assert saved["nextRunTime"] == ms("2026-03-28T09:00:00-04:00")
    assert saved["cronSchedules"] == several


@pytest.mark.parametrize(
    ("fields", "path", "sentence"),
    [
        ({"name": ...}, "name", "a schedule needs a name"),
        ({"name": "a/b"}, "name", "no /"),
        ({"name": "x" * 300}, "name", "a name may have 250"),
        ({"cronExpression": ...}, "cronExpression", "a schedule needs a cronExpression"),
        ({"cronExpression": "hello"}, "cronExpression", "has 1 fields"),
        ({"cronExpression": "0 9 * * *"}, "cronExpression", "put the second in front"),
        ({"cronExpression": "0 0 0 30 2 *"}, "cronExpression", "it would never start anything"),
        ({"zoneId": "Mars/Base"}, "zoneId", "there is no time zone 'Mars/Base'"),
        (
            {"cronSchedules": [{"cronExpression": "0 0 9 * * *"}, {"cronExpression": "0 0 25 * * *"}]},
            "cronSchedules[1].cronExpression",
            "'25' is no hour",
        ),
        ({"cronSchedules": [{"cronExpression": "@daily", "zoneId": "X"}]}, "cronSchedules[0].zoneId", "no time zone"),
        ({"startWorkflowRequest": ...}, "startWorkflowRequest", "needs a startWorkflowRequest"),
        ({"startWorkflowRequest": {"input": {}, "version": 1}}, "startWorkflowRequest.name", "is missing"),
        ({"startWorkflowRequest": {"name": "nope"}}, "startWorkflowRequest.name", "no workflow 'nope' is registered"),
        (
            {"startWorkflowRequest": {"name": "report", "version": 7}},
            "startWorkflowRequest.version",
            "has no version 7: its latest is 1",
        ),
        (
            {"startWorkflowRequest": {"name": "report", "priority": 100}},
            "startWorkflowRequest.priority",
            "must be a whole number from 0 to 99",
        ),
        (
            {"startWorkflowRequest": {"name": "report", "workflowId": "mine"}},
            "startWorkflowRequest.workflowId",
            "every date has a run of its own",
        ),
        (
            {"startWorkflowRequest": {"name": "x", "workflowDef": {"name": "x", "tasks": [{"name": "a"}]}}},
            "startWorkflowRequest.workflowDef.tasks[0].taskReferenceName",
            "a task needs a taskReferenceName",
        ),
        ({"overlapPolicy": "QUEUE"}, "overlapPolicy", "BUFFER_ONE"),
        ({"scheduleStartTime": 5, "scheduleEndTime": 4}, "scheduleEndTime", "lies before scheduleStartTime"),
        ({"scheduleEndTime": 5}, "scheduleEndTime", "no date of this schedule comes before it"),
        ({"scheduleStartTime": 10**18}, "scheduleStartTime", "at most"),
        ({"cronSchedules": [{"cronExpression": "@daily"}] * 60}, "cronSchedules", "may have 50"),
    ],
)
def test_a_schedule_that_cannot_work_is_refused_with_path_and_reason(
    client: TestClient, fields: dict[str, Any], path: str, sentence: str
) -> None:
    found = faults(client, **fields)
    assert sentence in found[path]


def test_all_mistakes_are_told_at_once(client: TestClient) -> None:
    found = faults(client, name="", cronExpression="x", zoneId="y", startWorkflowRequest={"name": "nope"})
    assert found.keys() == {"name", "cronExpression", "zoneId", "startWorkflowRequest.name"}


@pytest.mark.parametrize("body", ["[]", "5", "null", "{", '{"name": NaN}'])
def test_a_body_that_is_no_object_is_refused(client: TestClient, body: str) -> None:
    answer = client.post("schedules", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


def test_schedules_are_found_by_workflow_name_state_and_words(client: TestClient, store: MemoryStore) -> None:
    with store.transaction() as transaction:
        transaction.register_workflow(check_workflow({"name": "order", "tasks": [STEP]}), overwrite=True)
    client.post("schedules", json=a_schedule())
    client.post("schedules", json=a_schedule(name="weekly", paused=True, description="Monday's numbers"))
    client.post("schedules", json=a_schedule(name="orders", startWorkflowRequest={"name": "order"}))

    def found(**query: Any) -> list[str]:
        return [each["name"] for each in client.get("schedules/search", params=query).json()["results"]]

    assert found() == ["nightly", "orders", "weekly"]
    assert found(workflowName="order") == ["orders"]
    assert found(scheduleName="weekly") == ["weekly"]
    assert found(paused="true") == ["weekly"]
    assert found(freeText="monday") == ["weekly"]
    assert found(start=1, size=1) == ["orders"]
    assert found(sort="name:DESC") == ["weekly", "orders", "nightly"]
    assert client.get("schedules/search", params={"size": 1}).json()["totalHits"] == 3
    assert [each["name"] for each in client.get("schedules", params={"workflowName": "order"}).json()] == ["orders"]
    assert client.get("schedules/search", params={"sort": "colour"}).status_code == 400
    assert client.get("schedules/search", params={"start": -1}).status_code == 400


def test_a_paused_schedule_has_no_next_date_until_it_is_resumed(client: TestClient) -> None:
    client.post("schedules", json=a_schedule())
    assert client.put("schedules/nightly/pause", params={"reason": "holidays"}).status_code == 200
    shown = client.get("schedules/nightly").json()
    assert (shown["paused"], shown["pausedReason"], "nextRunTime" in shown) == (True, "holidays", False)
    assert client.put("schedules/nightly/resume").status_code == 200
    shown = client.get("schedules/nightly").json()
    assert (shown["paused"], "pausedReason" in shown, "nextRunTime" in shown) == (False, False, True)


def test_a_schedule_that_is_not_there(client: TestClient) -> None:
    assert client.get("schedules/nope").status_code == 404
    assert client.put("schedules/nope/pause").status_code == 404
    assert client.put("schedules/nope/resume").status_code == 404
    assert client.delete("schedules/nope").status_code == 200


def test_a_deleted_schedule_is_gone(client: TestClient) -> None:
    client.post("schedules", json=a_schedule())
    assert client.delete("schedules/nightly").status_code == 200
    assert client.get("schedules/nightly").status_code == 404


def test_several_are_paused_and_resumed_together_each_by_itself(client: TestClient) -> None:
    client.post("schedules", json=a_schedule())
    told = client.put("bulk/pause", json=["nightly", "nope"]).json()
    assert told == {
        "bulkErrorResults": {"nope": "There is no schedule 'nope'."},
        "bulkSuccessfulResults": ["nightly"],
    }
    assert client.get("schedules/nightly").json()["paused"]
    assert client.put("bulk/resume", json=["nightly"]).json()["bulkSuccessfulResults"] == ["nightly"]
    assert client.put("bulk/pause", json={"a": 1}).status_code == 400
    assert client.put("bulk/pause", json=[]).status_code == 400


def test_all_are_paused_and_those_resume_that_were_not_paused_before(client: TestClient) -> None:
    client.post("schedules", json=a_schedule())
    client.post("schedules", json=a_schedule(name="resting", paused=True, pausedReason="mine"))
    strange = client.get("admin/pause", headers={"Sec-Fetch-Site": "cross-site"})
    assert strange.status_code == 403, "a page in a browser could send it"
    assert client.put("admin/pause").json()["bulkSuccessfulResults"] == ["nightly"]
    assert all(each["paused"] for each in client.get("schedules").json())
    assert client.put("admin/resume").json()["bulkSuccessfulResults"] == ["nightly"]
    assert client.get("schedules/resting").json()["pausedReason"] == "mine"


def test_the_next_dates_of_an_expression_are_shown(client: TestClient) -> None:
    def asked(**query: Any) -> Any:
        return client.get("nextFewSchedules", params={"cronExpression": "0 0 3 * * *", **query}).json()

    assert asked(limit=2) == [ms("2026-03-29T03:00:00+00:00"), ms("2026-03-30T03:00:00+00:00")]
    assert len(asked()) == 5
    assert asked(limit=1, zoneId="Europe/Berlin") == [ms("2026-03-29T03:00:00+02:00")]
    begin, end = ms("2026-04-01T03:00:00+00:00"), ms("2026-04-02T03:00:00+00:00")
    assert asked(scheduleStartTime=begin, scheduleEndTime=end) == [begin, end]
    assert "5 fields" in asked(cronExpression="* * * * *")["message"]
    assert client.get("nextFewSchedules", params={"cronExpression": "x"}).status_code == 400
    assert client.get("nextFewSchedules").status_code == 400
    assert asked(limit=101)["status"] == 400


def test_what_became_of_dates_is_found(client: TestClient, store: MemoryStore) -> None:
    def executed(identity: str, seconds: float, **fields: Any) -> ScheduleExecution:
        given: dict[str, Any] = {"schedule": "nightly", "state": ExecutionState.EXECUTED, "workflow_name": "report"}
        at = {"at": after(NOW, seconds), "executed_at": after(NOW, seconds + 0.1)}
        return ScheduleExecution(
            id=identity, cron="0 0 3 * * *", zone="UTC", request={"name": "report"}, **(given | at | fields)
        )

    with store.transaction() as transaction:
        failed = executed("b", 1, state=ExecutionState.FAILED, reason="gone")
        transaction.put_executions([executed("a", 0), failed, executed("c", 2, schedule="weekly")])

    def found(query: str = "", **more: Any) -> list[str]:
        told = client.get("search/executions", params={"query": query, **more}).json()
        return [each["executionId"] for each in told["results"]]

    assert found() == ["c", "b", "a"]
    assert found("scheduleName IN (nightly)") == found("scheduleName = nightly") == ["b", "a"]
    assert found("state = FAILED AND scheduleName = 'nightly'") == ["b"]
    assert found("workflowId = a") == ["a"]
    assert found(start=1, size=1) == ["b"]
    assert client.get("search/executions", params={"query": "state = FAILED"}).json()["results"] == [
        {
            "executionId": "b",
            "scheduleName": "nightly",
            "scheduledTime": milliseconds(NOW) + 1_000,
            "executionTime": milliseconds(NOW) + 1_100,
            "workflowName": "report",
            "startWorkflowRequest": {"name": "report"},
            "state": "FAILED",
            "zoneId": "UTC",
            "reason": "gone",
        }
    ]
    for wrong in ("state = DONE", "colour = red", "nonsense"):
        assert client.get("search/executions", params={"query": wrong}).status_code == 400


def test_all_are_paused_and_resume_by_get_too_as_conductors_clients_ask(client: TestClient) -> None:
    client.post("schedules", json=a_schedule())

    assert client.get("admin/pause").json()["bulkSuccessfulResults"] == ["nightly"]
    assert client.get("admin/resume").json()["bulkSuccessfulResults"] == ["nightly"]
    assert client.get("admin/requeue").json() == {}
