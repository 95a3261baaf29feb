"""Who executes a run is answered when it has come to rest, by news and not by looking again and again."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from .conftest import LONG, Doors, step

WAIT = step("wait", "WAIT", inputParameters={"asked": "${workflow.input.asked}"})


def test_a_run_that_ends_by_itself_is_answered_with_its_end(doors: Doors) -> None:
    name = doors.registered(step("a", "NOOP"), outputParameters={"said": "${workflow.input.say}"})

    told = doors.execute(name, {"input": {"say": "yes"}, "correlationId": "c"}, requestId="mine")

    assert (told["responseType"], told["signalTimeout"], told["requestId"]) == ("TARGET_WORKFLOW", False, "mine")
    assert told["targetWorkflowId"] == told["workflowId"]
    assert (told["targetWorkflowStatus"], told["status"]) == ("COMPLETED", "COMPLETED")
    assert (told["input"], told["output"], told["correlationId"]) == ({"say": "yes"}, {"said": "yes"}, "c")
    assert [task["referenceTaskName"] for task in told["tasks"]] == ["a"]
    assert doors.run(told["workflowId"])["status"] == "COMPLETED"


def test_a_run_that_others_carry_on_is_answered_when_they_have(doors: Doors) -> None:
    name = doors.registered(step("a"), step("b"))

    waiting = doors.later(doors.execute, name)
    run = doors.run_of(name)
    doors.report(run, "a")
    doors.report(run, "b", n=7)

    assert (waiting.result()["status"], waiting.result()["output"]) == ("COMPLETED", {"n": 7})


def test_a_run_in_which_somebody_has_to_do_something_is_answered_at_once(doors: Doors) -> None:
    name = doors.registered(WAIT, step("behind"))
    asked = {"input": {"asked": "name?"}}

    whole = doors.execute(name, asked)
    assert (whole["status"], whole["signalTimeout"]) == ("RUNNING", False)
    for strategy in ("BLOCKING_TASK", "BLOCKING_TASK_INPUT"):
        told = doors.execute(name, asked, returnStrategy=strategy)
        assert told["responseType"] == strategy
        assert (told["referenceTaskName"], told["taskType"], told["status"]) == ("wait", "WAIT", "IN_PROGRESS")
        assert told["input"]["asked"] == "name?"
        assert told["taskId"].startswith(told["workflowId"])
        assert (told["workflowType"], told["targetWorkflowStatus"]) == (name, "RUNNING")


@pytest.mark.parametrize("kind", ["HUMAN", "YIELD"])
def test_people_and_yields_hold_a_run_up_like_a_wait(doors: Doors, kind: str) -> None:
    assert doors.execute(doors.registered(step("held", kind)))["signalTimeout"] is False


def test_a_wait_that_ends_by_its_date_holds_nobody_up(doors: Doors) -> None:
    name = doors.registered(step("wait", "WAIT", inputParameters={"duration": "1 hour"}))

    told = doors.execute(name, waitForSeconds=0.05)

    assert (told["status"], told["signalTimeout"]) == ("RUNNING", True)


def test_what_holds_a_run_up_is_found_in_the_runs_below_it(doors: Doors) -> None:
    def parent(of: str) -> str:
        return doors.registered(step("sub", "SUB_WORKFLOW", subWorkflowParam={"name": of, "version": 1}))

    name = parent(parent(doors.registered(step("a"), WAIT)))
    waiting = doors.later(doors.execute, name, returnStrategy="BLOCKING_WORKFLOW")
    top = doors.run_of(name)

    def child(of: str) -> str:
        return doors.until(lambda: [each.get("subWorkflowId") for each in doors.run(of)["tasks"]])[0] or ""

    middle = doors.until(lambda: child(top))
    bottom = doors.until(lambda: child(middle))
    doors.report(bottom, "a")

    told = waiting.result()
    assert (told["targetWorkflowId"], told["workflowId"]) == (top, bottom)
    assert [task["referenceTaskName"] for task in told["tasks"]] == ["a", "wait"]
    signalled = doors.http.post(f"/tasks/{top}/COMPLETED/signal/sync", json={}, params={"timeoutMillis": LONG * 1000})
    assert signalled.json()["status"] == "COMPLETED"


def test_the_end_of_any_task_that_is_named_is_enough(doors: Doors) -> None:
    name = doors.registered(step("a"), step("b"))

    waiting = doors.later(doors.execute, name, waitUntilTaskRef="never, a", returnStrategy="BLOCKING_TASK")
    doors.report(doors.run_of(name), "a", n=1)

    told = waiting.result()
    assert (told["referenceTaskName"], told["status"], told["output"]) == ("a", "COMPLETED", {"n": 1})
    assert (told["targetWorkflowStatus"], told["signalTimeout"]) == ("RUNNING", False)


def test_when_the_time_is_up_the_run_is_told_of_as_it_is(doors: Doors) -> None:
    name = doors.registered(step("a"))
    for strategy in ("TARGET_WORKFLOW", "BLOCKING_WORKFLOW", "BLOCKING_TASK", "BLOCKING_TASK_INPUT"):
        told = doors.execute(name, waitForSeconds=0.05, returnStrategy=strategy)
        assert told["signalTimeout"] is True
        assert told.get("referenceTaskName", "a") == "a"


def test_a_task_is_wanted_of_a_run_that_has_none_open(doors: Doors) -> None:
    told = doors.execute(doors.registered(step("a", "NOOP")), returnStrategy="BLOCKING_TASK")
    assert (told["targetWorkflowStatus"], told["signalTimeout"]) == ("COMPLETED", False)
    assert "taskId" not in told


def test_only_the_output_is_told_where_it_is_enough(doors: Doors) -> None:
    told = doors.execute(doors.registered(step("a", "NOOP")), returnStrategy="TARGET_WORKFLOW_OUTPUT")
    assert "output" in told
    assert "tasks" not in told


def test_name_and_version_of_the_path_win_over_the_body(doors: Doors) -> None:
    name = doors.registered(step("a", "NOOP"))
    assert doors.execute(name, {"name": "other", "version": 7})["status"] == "COMPLETED"
    unknown = doors.http.post(f"/workflow/execute/{name}/7", json={})
    assert unknown.status_code == 404


def test_a_definition_in_the_request_leaves_the_input_as_it_is(doors: Doors) -> None:
    inline = {"name": "inline", "version": 1, "tasks": [step("a", "NOOP")]}
    told = doors.execute("inline", {"workflowDef": inline, "input": {"n": 1}})
    assert (told["status"], told["input"]) == ("COMPLETED", {"n": 1})


def test_a_run_whose_start_was_answered_is_there(doors: Doors) -> None:
    name = doors.registered(step("a"))
    for _ in range(20):
        assert doors.run(doors.start(name))["status"] == "RUNNING"


@pytest.mark.parametrize("query", [{"returnStrategy": "SOMETHING"}, {"waitForSeconds": -1}, {"waitForSeconds": "x"}])
def test_what_cannot_be_asked_for_is_a_400_and_starts_nothing(doors: Doors, query: dict[str, object]) -> None:
    name = doors.registered(step("a", "NOOP"))
    assert doors.http.post(f"/workflow/execute/{name}/1", json={}, params=query).status_code == 400
    assert doors.http.get("/workflow/search", params={"query": f"workflowType={name}"}).json()["totalHits"] == 0


def test_a_signal_is_answered_when_the_run_has_come_to_rest_again(doors: Doors) -> None:
    name = doors.registered(step("first", "WAIT"), step("a"), step("second", "WAIT"))
    run = doors.start(name)

    def signal(strategy: str) -> httpx.Response:
        query = {"returnStrategy": strategy, "timeoutMillis": LONG * 1_000}
        return doors.http.post(f"/tasks/{run}/COMPLETED/signal/sync", json={"by": "me"}, params=query)

    waiting = doors.later(signal, "BLOCKING_TASK")
    doors.until(lambda: len(doors.run(run)["tasks"]) == 2)
    doors.report(run, "a")

    assert waiting.result().json()["referenceTaskName"] == "second"
    assert signal("TARGET_WORKFLOW").json()["status"] == "COMPLETED"
    assert signal("TARGET_WORKFLOW").status_code == 409
    assert doors.http.post("/tasks/none/COMPLETED/signal/sync", json={}).status_code == 404


def test_a_report_by_name_is_answered_with_the_run_as_it_has_gone_on(doors: Doors) -> None:
    run = doors.start(doors.registered(step("a"), step("b")))

    told = doors.http.post(f"/tasks/{run}/a/COMPLETED/sync", json={"n": 1}).json()

    assert [(task["referenceTaskName"], task["status"]) for task in told["tasks"]] == [
        ("a", "COMPLETED"),
        ("b", "SCHEDULED"),
    ]
    assert doors.http.post(f"/tasks/{run}/a/COMPLETED/sync", json={}).status_code == 404


def test_who_waits_while_the_broker_is_away_hears_of_what_happened_meanwhile(doors: Doors) -> None:
    name = doors.registered(step("a"))
    waiting = doors.later(doors.execute, name)
    run = doors.run_of(name)

    doors.hub.disconnect()
    doors.until(lambda: doors.http.post(f"/tasks/{run}/a/COMPLETED", json={}).status_code == 200)

    assert waiting.result()["status"] == "COMPLETED"


def test_more_than_may_wait_are_refused_before_anything_starts(open_doors: Callable[..., Doors]) -> None:
    doors = open_doors(waiting_limit=1)
    name, other = doors.registered(step("a")), doors.registered(step("a"))
    waiting = doors.later(doors.execute, name)
    run = doors.run_of(name)

    refused = doors.http.post(f"/workflow/execute/{other}/0", json={})

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert "BATON_WAITING_LIMIT" in refused.json()["message"]
    doors.report(run, "a")
    assert waiting.result()["status"] == "COMPLETED"
    assert doors.execute(doors.registered(step("a", "NOOP")))["status"] == "COMPLETED"


def test_a_client_that_goes_away_makes_room_for_another(open_doors: Callable[..., Doors]) -> None:
    doors = open_doors(waiting_limit=1)
    name = doors.registered(step("a"))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{doors.url}/workflow/execute/{name}/0", json={}, timeout=httpx.Timeout(LONG, read=0.5))

    def second() -> bool:
        return doors.http.post(f"/workflow/execute/{name}/0?waitForSeconds=0.01", json={}).status_code == 200

    doors.until(second)


def test_a_server_that_ends_answers_those_that_wait_with_what_it_knows(open_doors: Callable[..., Doors]) -> None:
    doors = open_doors()
    name = doors.registered(step("a"))
    waiting = doors.later(doors.execute, name)
    doors.run_of(name)
    begun = time.monotonic()

    doors.end_server()

    assert (waiting.result()["status"], waiting.result()["signalTimeout"]) == ("RUNNING", True)
    assert time.monotonic() - begun < LONG / 2
