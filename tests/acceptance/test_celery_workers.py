"""Workers that know nothing but Celery carry workflows, Flower sees them, and urgent work overtakes."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.endpoint import free_ports
from tests.acceptance.processes import BIN, Process, until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow


@pytest.fixture
def slow(small: Stack) -> Iterator[Process]:
    """Return a worker that does one thing at a time."""
    worker = small.celery("vanilla", "worker-slow", "-P", "solo", "-Q", "note,hold", **vanilla(small))
    small.ready(worker)
    yield worker
    worker.ask_to_stop()
    worker.end()


def sums(name: str, steps: int = 2) -> dict[str, object]:
    first = simple("add", "add_1", left="${workflow.input.start}", right=1)
    rest = [
        simple("add", f"add_{step}", left=f"${{add_{step - 1}.output.sum}}", right=1) for step in range(2, steps + 1)
    ]
    return workflow(name, first, *rest, outputParameters={"sum": f"${{add_{steps}.output.sum}}"})


def test_a_worker_that_imports_only_celery_carries_a_workflow(small: Stack) -> None:
    source = ast.parse((Path(__file__).parent / "vanilla.py").read_text())
    imported = {node.module for node in ast.walk(source) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in imported if str(name).startswith(("engine", "workers"))}
    small.define(sums("sums", steps=3), tasks=[task_def("add")])
    run = small.ended(small.start("sums", input={"start": 39}))
    assert (run["status"], run["output"]) == ("COMPLETED", {"sum": 42})


def test_flower_reports_the_worker_and_its_tasks_by_the_engines_ids(small: Stack) -> None:
    # Given a Flower that was there before the work.
    port = free_ports(1)[0]
    command = [str(BIN / "celery"), "--broker", small.broker_url, "flower", "--address=127.0.0.1", f"--port={port}"]
    environment = {**os.environ, "FLOWER_UNAUTHENTICATED_API": "true"}
    flower = small.processes.start("flower", [*command, "--inspect-timeout=500"], environment)
    http = httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=60)

    def get(path: str) -> dict[str, dict[str, object]]:
        try:
            answer = http.get(path)
        except httpx.TransportError:
            return {}
        found: dict[str, dict[str, object]] = answer.json() if answer.is_success else {}
        return found

    until("Flower sees the worker", lambda: "worker-vanilla@box" in get("/workers"))
    # When a workflow runs.
    small.define(sums("watched"), tasks=[task_def("add")])
    run = small.ended(small.start("watched", input={"start": 1}))
    # Then Flower knows each of its tasks by the engine's id.
    ids = {task["taskId"] for task in run["tasks"]}
    until("Flower has seen the tasks", lambda: ids <= get("/tasks").keys())
    seen = get("/tasks")
    until("Flower has seen their end", lambda: {get("/tasks")[each]["state"] for each in ids} == {"SUCCESS"})
    assert {seen[each]["name"] for each in ids} == {"add"}
    assert {seen[each]["worker"] for each in ids} == {"worker-vanilla@box"}
    http.close()
    flower.ask_to_stop()
    flower.end()


def test_an_urgent_workflow_overtakes_a_backlog(small: Stack, slow: Process, tmp_path: Path) -> None:
    gate, lines = tmp_path / "gate", tmp_path / "lines"
    small.define(
        workflow("block", simple("hold", gate=str(gate))),
        workflow(
            "lines", *(simple("note", f"note_{n}", file=str(lines), line="${workflow.input.who}") for n in (1, 2))
        ),
        tasks=[task_def("hold"), task_def("note")],
    )
    # Given one slow worker that is busy, and a backlog before it.
    blocked = small.start("block")
    small.when(blocked, "is scheduled", lambda run: run["tasks"])
    patient = [small.start("lines", input={"who": "patient"}, priority=0) for _ in range(12)]
    for each in patient:
        small.when(each, "is scheduled", lambda run: run["tasks"])
    # When an urgent workflow comes last.
    urgent = small.start("lines", input={"who": "urgent"}, priority=90)
    small.when(urgent, "is scheduled", lambda run: run["tasks"])
    gate.touch()
    for each in (urgent, *patient):
        assert small.ended(each)["status"] == "COMPLETED"
    # Then it is through long before the others: only what the worker had fetched already goes first.
    places = [place for place, who in enumerate(lines.read_text().split()) if who == "urgent"]
    assert len(places) == 2
    assert max(places) < 8, lines.read_text().split()
