"""Limited tasks that no worker carries out: children of a SUB_WORKFLOW, a WAIT, a HUMAN stand in the same line."""

from __future__ import annotations

from typing import Any

import pytest

from engine.model.status import Slot
from engine.testing.harness import Harness
from tests.unit.decider.steps import Step, child, echo, fork, inputs, step


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    harness.register(
        {"name": "kid", "tasks": [step("k")]},
        {"name": "parent", "tasks": [{**child("sub", "kid"), "name": "scarce"}]},
        {"name": "waiter", "tasks": [{**step("rest", "WAIT", **inputs(duration="10s")), "name": "scarce"}]},
        {"name": "asker", "tasks": [{**step("person", "HUMAN"), "name": "scarce"}]},
        tasks=[{"name": "scarce", "concurrentExecLimit": 1, "retryCount": 0}],
    )
    return harness


def start(harness: Harness, *runs: str, name: str) -> None:
    for run in runs:
        harness.start(name, workflow_id=run)
        harness.clock.advance(0.001)


def kids(harness: Harness) -> list[str]:
    return [run.id for run in harness.store._tables.workflows.values() if run.name == "kid"]


def task(harness: Harness, run: str) -> Any:
    return harness.rows(run).tasks[0]


def test_one_child_is_started_at_a_time_and_the_next_when_it_has_ended(harness):
    start(harness, "one", "two", name="parent")
    assert len(kids(harness)) == 1
    assert (task(harness, "two").status, task(harness, "two").slot) == ("SCHEDULED", Slot.WAITING)
    harness.work({"k": echo})
    assert [harness.run(run).status for run in ("one", "two")] == ["COMPLETED"] * 2
    assert len(kids(harness)) == 2
    assert not harness.store._tables.slots


def test_a_parent_that_ends_while_its_child_must_wait_starts_none(harness):
    start(harness, "one", "two", name="parent")
    harness.request("two", "terminate")
    harness.work({"k": echo})
    assert len(kids(harness)) == 1


def test_a_wait_begins_when_it_has_its_slot(harness):
    start(harness, "one", "two", name="waiter")
    assert [task(harness, run).status for run in ("one", "two")] == ["IN_PROGRESS", "SCHEDULED"]
    harness.advance(10)
    assert [harness.run(run).status for run in ("one", "two")] == ["COMPLETED", "RUNNING"]
    harness.advance(9)
    assert harness.run("two").status == "RUNNING"
    harness.advance(1)
    assert harness.run("two").status == "COMPLETED"


def test_a_person_is_asked_one_thing_at_a_time(harness):
    start(harness, "one", "two", name="asker")
    assert [task(harness, run).status for run in ("one", "two")] == ["IN_PROGRESS", "SCHEDULED"]
    harness.request("one", "signal", ref="person", status="COMPLETED")
    assert task(harness, "two").status == "IN_PROGRESS"


def test_a_slot_that_comes_in_a_pause_is_taken_up_behind_it(harness):
    start(harness, "one", "two", name="asker")
    harness.request("two", "pause")
    harness.request("one", "terminate")
    assert (task(harness, "two").status, task(harness, "two").slot) == ("SCHEDULED", Slot.HELD)
    harness.restart_decider()
    harness.request("two", "resume")
    assert task(harness, "two").status == "IN_PROGRESS"


def test_branches_that_wait_do_not_hold_up_others(harness):
    def person(ref: str) -> Step:
        return {**step(ref, "HUMAN"), "name": "scarce"}

    harness.register({"name": "both", "tasks": fork("f", [person("a")], [person("b")], [step("c")])})
    start(harness, "one", name="both")
    assert harness.work({"c": echo}) == 1
    for ref in ("a", "b"):
        assert harness.request("one", "update_task", ref=ref, status="COMPLETED").granted
    assert harness.run("one").status == "COMPLETED"
