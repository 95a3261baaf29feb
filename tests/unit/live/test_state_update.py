"""Variables and a task of a run are changed by one request, which is answered as an execution is."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import LONG, Doors, step

WAIT = step("wait", "WAIT")


def asking(doors: Doors, run: str, update: dict[str, Any], **query: Any) -> dict[str, Any]:
    answer = doors.http.post(f"/workflow/{run}/state", json=update, params={"waitForSeconds": LONG, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_comes_behind_the_task_sees_the_variables(doors: Doors) -> None:
    behind = step("behind", "WAIT", inputParameters={"seen": "${workflow.variables.by}", "said": "${wait.output.said}"})
    run = doors.start(doors.registered(WAIT, behind))
    result = {"status": "COMPLETED", "outputData": {"said": "yes"}, "taskId": None, "logs": []}

    told = asking(doors, run, {"variables": {"by": "Grace"}, "taskReferenceName": "wait", "taskResult": result})

    assert (told["workflowId"], told["status"], told["signalTimeout"]) == (run, "RUNNING", False)
    assert told["variables"] == {"by": "Grace"}
    assert [task["inputData"].get("seen") for task in told["tasks"]] == [None, "Grace"]
    assert told["tasks"][1]["inputData"]["said"] == "yes"


def test_variables_alone_and_a_task_alone_can_be_changed(doors: Doors) -> None:
    run = doors.start(doors.registered(WAIT))

    assert asking(doors, run, {"variables": {"n": 1}}, requestId="mine")["requestId"] == "mine"
    told = asking(doors, run, {"taskReferenceName": "wait"})

    assert (told["status"], told["variables"]) == ("COMPLETED", {"n": 1})


def test_a_task_may_be_named_by_its_id(doors: Doors) -> None:
    run = doors.start(doors.registered(WAIT))

    told = asking(doors, run, {"taskResult": {"taskId": doors.run(run)["tasks"][0]["taskId"], "status": "FAILED"}})

    assert told["status"] == "FAILED"


@pytest.mark.parametrize(
    ("update", "wrong"),
    [
        ({"taskResult": {"status": "COMPLETED"}}, "taskReferenceName is missing"),
        ({"taskReferenceName": "wait", "taskResult": {"status": "DONE"}}, "status must be one of"),
        ({"taskReferenceName": "wait", "taskResult": [1]}, "taskResult must be a JSON object"),
        ({"variables": [1]}, "variables must be an object"),
    ],
)
def test_what_cannot_be_read_is_a_400_and_changes_nothing(doors: Doors, update: dict[str, Any], wrong: str) -> None:
    run = doors.start(doors.registered(WAIT))

    answer = doors.http.post(f"/workflow/{run}/state", json=update)

    assert answer.status_code == 400
    assert wrong in answer.json()["message"]
    assert doors.run(run)["variables"] == {}


def test_an_unknown_task_and_a_run_that_has_ended_are_refused(doors: Doors) -> None:
    run = doors.start(doors.registered(WAIT))
    assert doors.http.post(f"/workflow/{run}/state", json={"taskReferenceName": "nobody"}).status_code == 404
    doors.report(run, "wait")
    assert doors.http.post(f"/workflow/{run}/state", json={"variables": {"n": 1}}).status_code == 409


def test_variables_that_are_written_are_answered_with_the_run(doors: Doors) -> None:
    run = doors.start(doors.registered(WAIT))

    told = doors.http.post(f"/workflow/{run}/variables", json={"n": 1}).json()

    assert (told["workflowId"], told["variables"], len(told["tasks"])) == (run, {"n": 1}, 1)
