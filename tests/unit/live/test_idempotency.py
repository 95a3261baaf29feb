"""Starts by an idempotency key whose strategy minds only runs that go on: when the last has ended, another begins."""

from __future__ import annotations

from typing import Any

import httpx

from .conftest import Doors, step

KEYED = {"idempotencyKey": "nightly", "idempotencyStrategy": "FAIL_ON_RUNNING"}


def starting(doors: Doors, name: str, **fields: Any) -> httpx.Response:
    return doors.http.post("/workflow", json={"name": name, **KEYED, **fields})


def ended(doors: Doors, run: str) -> bool:
    return bool(doors.run(run)["status"] == "COMPLETED")


def test_one_that_goes_on_stands_in_the_way_and_each_that_has_ended_is_followed_by_another(doors: Doors) -> None:
    name = doors.registered(step("wait", "WAIT"))
    runs = []
    for _ in range(3):
        runs.append(starting(doors, name).text)
        refused = starting(doors, name)
        assert (refused.status_code, refused.json()["message"]) == (
            409,
            f"Workflow with the idempotency key nightly already exists: {runs[-1]} (RUNNING)",
        )
        doors.report(runs[-1], "wait")
        doors.until(lambda: ended(doors, runs[-1]))
    assert len(set(runs)) == 3
    assert {doors.run(run)["idempotencyKey"] for run in runs} == {"nightly"}


def test_an_execution_is_a_further_run_too(doors: Doors) -> None:
    name = doors.registered(step("nothing", "NOOP"))
    first, second = (doors.execute(name, KEYED)["workflowId"] for _ in range(2))
    assert first != second


def test_a_run_that_is_named_is_that_run(doors: Doors) -> None:
    name = doors.registered(step("nothing", "NOOP"))
    first, second = (starting(doors, name, workflowId=f"{name}-mine").text for _ in range(2))
    assert first == second == f"{name}-mine"
