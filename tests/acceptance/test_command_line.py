"""Every command of a user's day against a running ``baton dev``, by what it prints and by its exit code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.endpoint import free_ports
from tests.acceptance.dev import Dev
from tests.acceptance.processes import BIN
from tests.acceptance.stack import simple, task_def, workflow

NOOP = {"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    folder = tmp_path_factory.mktemp("dev")
    dev = Dev(folder, folder / "data")
    signalled = {"name": "signalled", "taskReferenceName": "signalled", "type": "WAIT"}
    dev.define(
        workflow(
            "sum", simple("add", left="${workflow.input.left}", right=2), outputParameters={"sum": "${add.output.sum}"}
        ),
        workflow("patient", signalled, outputParameters={"said": "${signalled.output.word}"}),
        workflow("late", signalled, timeoutSeconds=1, timeoutPolicy="TIME_OUT_WF"),
        workflow("odd", simple("odd", kind="object")),
        workflow("nothing", NOOP),
        tasks=[task_def("add"), task_def("odd")],
    )
    yield dev
    dev.close()


def started(dev: Dev, name: str) -> str:
    return str(dev.command("workflow", "start", name)["workflowId"])


def test_five_mistakes_in_a_definition_are_listed_at_once(dev: Dev, tmp_path: Path) -> None:
    mistaken = {
        "name": "mistaken",
        "schemaVersion": 1,
        "timeoutPolicy": "SOMETIMES",
        "tasks": [
            simple("add", "twice"),
            simple("add", "twice"),
            {
                "name": "pick",
                "taskReferenceName": "pick",
                "type": "SWITCH",
                "evaluatorType": "javascript",
                "expression": "(",
            },
            {"name": "unnamed", "type": "SIMPLE"},
        ],
    }
    file = tmp_path / "mistaken.json"
    file.write_text(json.dumps(mistaken))
    faults = dev.command("definition", "apply", str(file), code=2)["faults"]
    text = json.dumps(faults)
    for place in ("schemaVersion", "timeoutPolicy", "twice", "tasks[2].expression", "tasks[3].taskReferenceName"):
        assert place in text, f"{place} is not in {faults}"
    assert len(faults) >= 5
    dev.command("definition", "show", "mistaken", code=3)


def test_definitions_are_applied_listed_and_shown(dev: Dev, tmp_path: Path) -> None:
    (tmp_path / "workflow.json").write_text(json.dumps(workflow("applied", simple("applied_task"))))
    (tmp_path / "task.json").write_text(json.dumps(task_def("applied_task")))
    dev.command("definition", "validate", str(tmp_path))
    dev.command("definition", "show", "applied", code=3)
    applied = dev.command("definition", "apply", str(tmp_path))["applied"]
    assert {(each["kind"], each["name"]) for each in applied} == {("workflow", "applied"), ("task", "applied_task")}
    listed = dev.command("definition", "list")
    assert "applied" in {each["name"] for each in listed["workflows"]}
    assert "applied_task" in {each["name"] for each in listed["tasks"]}
    assert dev.command("definition", "show", "applied")["tasks"][0]["name"] == "applied_task"


def test_a_run_is_started_watched_shown_and_listed(dev: Dev) -> None:
    run = dev.command("workflow", "start", "sum", "--input", '{"left": 40}', "--correlation-id", "mine")["workflowId"]
    watched = dev.command("workflow", "watch", run)
    assert (watched["status"], watched["output"]) == ("COMPLETED", {"sum": 42})
    assert dev.command("workflow", "show", run)["workflowId"] == run
    found = dev.command("workflow", "list", "--correlation-id", "mine", "--status", "COMPLETED")
    assert [each["workflowId"] for each in found["results"]] == [run]


def test_a_watch_ends_as_the_run_does(dev: Dev) -> None:
    assert dev.command("workflow", "start", "odd", "--watch", code=10)["status"] == "FAILED"
    assert dev.command("workflow", "start", "late", "--watch", code=11)["status"] == "TIMED_OUT"
    run = started(dev, "patient")
    dev.command("workflow", "terminate", run, "--reason", "nobody needs it")
    ended = dev.command("workflow", "watch", run, code=12)
    assert (ended["status"], ended["reasonForIncompletion"]) == ("TERMINATED", "nobody needs it")


def test_a_run_is_paused_resumed_and_signalled(dev: Dev) -> None:
    run = started(dev, "patient")
    dev.command("workflow", "pause", run)
    assert dev.command("workflow", "show", run)["status"] == "PAUSED"
    dev.command("workflow", "resume", run)
    assert dev.command("workflow", "show", run)["status"] == "RUNNING"
    dev.command("workflow", "signal", run, "--data", '{"word": "go"}')
    assert dev.command("workflow", "watch", run)["output"] == {"said": "go"}


def test_a_failed_run_is_retried(dev: Dev) -> None:
    run = dev.command("workflow", "start", "patient")["workflowId"]
    dev.command("workflow", "signal", run, "--ref", "signalled", "--status", "FAILED")
    dev.command("workflow", "watch", run, code=10)
    dev.command("workflow", "retry", run)
    dev.command("workflow", "signal", run, "--data", '{"word": "better"}')
    assert dev.command("workflow", "watch", run)["output"] == {"said": "better"}


@pytest.mark.parametrize("verb", ["pause", "resume", "terminate", "retry", "signal"])
def test_what_does_not_fit_a_completed_run_is_a_conflict(dev: Dev, verb: str) -> None:
    run = dev.command("workflow", "start", "nothing", "--watch")["workflowId"]
    refusal = dev.command("workflow", verb, run, code=4)
    assert refusal["exitCode"] == 4
    assert refusal["error"]


@pytest.mark.parametrize("verb", ["show", "watch", "pause", "resume", "terminate", "retry", "signal"])
def test_a_run_that_is_not_there_is_not_found(dev: Dev, verb: str) -> None:
    assert "no-such-run" in dev.command("workflow", verb, "no-such-run", code=3)["error"]


def test_a_workflow_that_is_not_there_is_not_found(dev: Dev) -> None:
    assert "nowhere" in dev.command("workflow", "start", "nowhere", code=3)["error"]


def test_a_server_that_is_not_there_is_unreachable(dev: Dev) -> None:
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    for command in (["workflow", "list"], ["definition", "list"], ["dead", "list"]):
        assert "baton dev" in dev.command(*command, "--server", nowhere, code=6)["hint"]


@pytest.mark.parametrize(
    "command",
    [
        ["workflow", "start"],
        ["workflow", "start", "sum", "--input", "{"],
        ["workflow", "start", "sum", "--priority", "100"],
        ["workflow", "list", "--status", "HAPPY"],
        ["definition", "apply", "no/such/file.json"],
        ["nonsense"],
    ],
)
def test_what_cannot_be_understood_is_a_matter_of_usage(dev: Dev, command: list[str]) -> None:
    done: subprocess.CompletedProcess[Any] = dev.processes.run([str(BIN / "baton"), *command], dev.environment)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
