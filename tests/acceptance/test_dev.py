"""``baton dev``: everything in one process, which may die at any moment and goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.dev import Dev
from tests.acceptance.stack import simple, task_def, workflow


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Callable[[str], Dev]]:
    """Return what starts ``baton dev`` on a data folder of this name."""
    started: list[Dev] = []

    def start(data: str) -> Dev:
        started.append(Dev(tmp_path / f"process {len(started)}", tmp_path / data))
        return started[-1]

    yield start
    for each in started:
        each.close()


def wait(duration: str) -> dict[str, object]:
    return {"name": "wait", "taskReferenceName": "wait", "type": "WAIT", "inputParameters": {"duration": duration}}


def test_a_killed_dev_goes_on_where_it_stopped(dev: Callable[[str], Dev], tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    add = simple("add", left=1, right=2)
    first = dev("data")
    first.define(
        workflow("waiting", wait("3 seconds"), add, outputParameters={"sum": "${add.output.sum}"}),
        workflow("working", simple("hold", gate=str(gate)), add, outputParameters={"sum": "${add.output.sum}"}),
        tasks=[task_def("hold"), task_def("add")],
    )
    # Given a run that waits for a date, and one whose task is being worked on.
    waiting = first.command("workflow", "start", "waiting")["workflowId"]
    working = first.command("workflow", "start", "working")["workflowId"]
    for each in (waiting, working):
        first.when(each, "is in progress", lambda run: run["tasks"] and run["tasks"][0]["status"] == "IN_PROGRESS")
    # When the process is killed, and started again on the same folder.
    first.process.kill()
    gate.touch()
    second = dev("data")
    # Then both end, and nothing was done twice but the task that was lost.
    for each in (waiting, working):
        run = second.ended(each)
        assert (run["status"], run["output"]) == ("COMPLETED", {"sum": 3})
        assert len(run["tasks"]) == 2


def test_a_new_folder_is_a_new_system(dev: Callable[[str], Dev]) -> None:
    first = dev("one")
    first.define(workflow("nothing", {"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}))
    first.command("workflow", "start", "nothing", "--watch")
    first.process.ask_to_stop()
    assert first.process.wait(60) == 0
    second = dev("two")
    assert second.command("workflow", "list")["totalHits"] == 0
    assert second.command("definition", "list") == {"workflows": [], "tasks": []}


def test_the_doctor_asks_for_no_server_beside_dev(dev: Callable[[str], Dev]) -> None:
    findings = {each["subject"]: each for each in dev("data").command("doctor")["findings"]}
    assert {each["state"] for each in findings.values()} == {"ok"}
    assert "baton dev" in findings["server"]["what"]
