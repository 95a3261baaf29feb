"""conductor-python, unmodified, carries tasks of Baton's runs, beside Celery workers and in ``baton dev``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acceptance.dev import Dev
from tests.acceptance.stack import Stack, simple, task_def, workflow

PROGRAM = Path(__file__).parent / "sdk_workers.py"

#: The SDK extends a lease once 0.8 of it, and up to a second more, have passed: the rest is for slow machines.
LEASE_SECONDS = 15

#: One process instead of one for each worker, which would all import the SDK.
THREADS = {"CONDUCTOR_WORKER_ISOLATION": "thread"}


@pytest.fixture(scope="module")
def sdk(small: Stack) -> Iterator[Stack]:
    """Return a stack with workers of the SDK."""
    workers = carried(small)
    yield small
    workers.ask_to_stop()
    workers.end()


def carried(stack: Stack) -> Any:
    workers = stack.processes.start("sdk", [sys.executable, str(PROGRAM), stack.url], THREADS)
    workers.says("Started all processes")
    return workers


class Long(NamedTuple):
    """A run whose task is done once the gate is there."""

    run_id: str
    gate: Path


@pytest.fixture(scope="module", autouse=True)
def long(sdk: Stack, tmp_path_factory: pytest.TempPathFactory) -> Long:
    """Start the run that takes long before all others, so that the waiting costs no time of its own."""
    gate = tmp_path_factory.mktemp("long") / "gate"
    definition = task_def("sdk_long", responseTimeoutSeconds=LEASE_SECONDS)
    sdk.define(only("sdk_long", gate=str(gate)), tasks=[definition])
    return Long(sdk.start("only_sdk_long"), gate)


def only(name: str, **inputs: Any) -> dict[str, Any]:
    return workflow(f"only_{name}", simple(name, **inputs))


def test_workers_of_the_sdk_and_of_celery_carry_one_workflow(sdk: Stack) -> None:
    greet = simple("sdk_greet", who="number ${add.output.sum}")
    steps = [simple("sdk_double", number="${workflow.input.number}"), simple("add", left="${sdk_double.output.number}")]
    steps[1]["inputParameters"]["right"] = 1
    sdk.define(
        workflow("mixed", *steps, greet, outputParameters={"said": "${sdk_greet.output.greeting}"}),
        tasks=[task_def(name) for name in ("sdk_double", "add", "sdk_greet")],
    )
    runs = [sdk.start("mixed", input={"number": number}) for number in range(10)]
    ended = [sdk.ended(run) for run in runs]
    assert [run["output"] for run in ended] == [{"said": f"Hello, number {2 * n + 1}!"} for n in range(10)]
    first, _, last = ended[0]["tasks"]
    assert all(task["pollCount"] == 1 and task["workerId"] for task in (first, last))


def test_a_worker_that_wants_a_task_back_later_gets_it_again(sdk: Stack) -> None:
    sdk.define(only("sdk_patient", steps=3), tasks=[task_def("sdk_patient")])
    run = sdk.ended(sdk.start("only_sdk_patient"))
    (task,) = run["tasks"]
    assert (run["status"], task["pollCount"], task["outputData"]["polls"]) == ("COMPLETED", 3, 3)
    assert task["endTime"] - task["startTime"] >= 2000


def test_a_failure_that_no_retry_can_help_fails_for_good(sdk: Stack) -> None:
    sdk.define(only("sdk_hopeless"), tasks=[task_def("sdk_hopeless", retryCount=3)])
    run = sdk.ended(sdk.start("only_sdk_hopeless"))
    (task,) = run["tasks"]
    assert (run["status"], task["status"]) == ("FAILED", "FAILED_WITH_TERMINAL_ERROR")
    assert "it will never do" in task["reasonForIncompletion"]


def test_a_worker_in_a_domain_gets_the_tasks_of_its_domain(sdk: Stack) -> None:
    sdk.define(only("sdk_in_blue"), tasks=[task_def("sdk_in_blue")])
    run = sdk.ended(sdk.start("only_sdk_in_blue", taskToDomain={"*": "blue"}))
    assert (run["status"], run["tasks"][0]["domain"]) == ("COMPLETED", "blue")


def test_the_sdk_carries_tasks_in_dev(tmp_path: Path) -> None:
    dev = Dev(tmp_path / "process", tmp_path / "data")
    try:
        dev.define(
            workflow("both", simple("sdk_double", number=21), simple("sdk_greet", who="${sdk_double.output.number}")),
            tasks=[task_def("sdk_double"), task_def("sdk_greet")],
        )
        carried(dev)
        run_id = dev.call("POST", "/api/workflow/both", json={}).text
        run = dev.ended(run_id)
        assert run["tasks"][1]["outputData"] == {"greeting": "Hello, 42!"}
    finally:
        dev.close()


def test_a_lease_that_is_extended_outlasts_the_response_timeout(sdk: Stack, long: Long) -> None:
    def is_heard_of(run: dict[str, Any]) -> bool:
        task = run["tasks"][0]
        return bool(task["startTime"]) and task["updateTime"] - task["startTime"] > 1000 * LEASE_SECONDS // 2

    # The SDK extends it after 0.8 of the time, and looks every second whether that is over.
    run = sdk.when(long.run_id, "is heard of again", is_heard_of)
    assert [task["status"] for task in run["tasks"]] == ["IN_PROGRESS"]
    long.gate.touch()
    run = sdk.ended(long.run_id)
    assert (run["status"], len(run["tasks"]), run["tasks"][0]["outputData"]) == ("COMPLETED", 1, {"done": True})
