"""Idempotency keys of SUB_WORKFLOW and START_WORKFLOW: one key, one run, and everybody who asked hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.decider.decide import decide
from engine.model.event import Wake
from engine.testing.harness import Harness
from engine.wire.request_message import encode_wake
from engine.wire.start_message import derived_id
from tests.unit.decider.steps import Step, echo, fork, inputs, step


def kid(ref: str, strategy: str | None = "RETURN_EXISTING", key: str = "order 7", **fields: Any) -> Step:
    param = {"name": "kid", "idempotencyKey": key, "idempotencyStrategy": strategy}
    return step(ref, "SUB_WORKFLOW", subWorkflowParam=param, **fields)


def aside(ref: str, strategy: str | None = "RETURN_EXISTING", key: str = "order 7") -> Step:
    request = {"name": "kid", "idempotencyKey": key, "idempotencyStrategy": strategy}
    return step(ref, "START_WORKFLOW", **inputs(startWorkflow=request))


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    harness.register({"name": "kid", "tasks": [step("k")], "outputParameters": {"made": "${k.output.n}"}})
    return harness


def parent(harness: Harness, *tasks: Step, name: str = "flow") -> str:
    harness.register({"name": name, "tasks": list(tasks)})
    return harness.start(name)


def child_of(harness: Harness, run: str, ref: str) -> str:
    return str(harness.task(run, ref).child_id)


def kids(harness: Harness) -> list[str]:
    return [run.id for run in harness.store._tables.workflows.values() if run.name == "kid"]


def test_two_parents_that_want_the_same_run_get_one_and_both_wait_for_it(harness):
    first, second = parent(harness, kid("a")), parent(harness, kid("a"))
    assert kids(harness) == [child_of(harness, first, "a")] == [child_of(harness, second, "a")]
    assert harness.statuses(first) == harness.statuses(second) == {"a": "IN_PROGRESS"}
    harness.work({"k": lambda _: {"n": 3}})
    for run in (first, second):
        assert harness.run(run).status == "COMPLETED"
        assert harness.task(run, "a").output == {"subWorkflowId": kids(harness)[0], "made": 3}


def test_two_tasks_of_one_parent_may_want_the_same_run(harness):
    run = parent(harness, *fork("both", [kid("a")], [kid("b")]))
    assert len(kids(harness)) == 1
    harness.work({"k": lambda _: {"n": 3}})
    assert harness.run(run).status == "COMPLETED"


def test_a_run_that_somebody_has_started_by_this_key_is_waited_for(harness):
    existing = harness.start("kid", workflow_id=derived_id("key", "kid", "order 7"), idempotency_key="order 7")
    run = parent(harness, kid("a"))
    assert child_of(harness, run, "a") == existing
    harness.restart_decider()
    harness.work({"k": lambda _: {"n": 3}})
    assert harness.run(run).status == "COMPLETED"


def test_one_that_has_ended_gives_its_result_at_once(harness):
    parent(harness, kid("a"))
    harness.work({"k": lambda _: {"n": 3}})
    run = parent(harness, kid("a"))
    assert harness.task(run, "a").output["made"] == 3
    assert harness.run(run).status == "COMPLETED"


def test_another_key_is_another_run_and_an_expression_may_be_one(harness):
    harness.register({"name": "flow", "tasks": [kid("a", key="${workflow.input.order}")]})
    for order in ("7", "8", "7"):
        harness.start("flow", {"order": order})
    assert len(kids(harness)) == 2


def test_without_a_key_every_task_has_a_run_of_its_own(harness):
    for _ in range(2):
        parent(harness, kid("a", key=""))
    assert len(kids(harness)) == 2


@pytest.mark.parametrize("task", [kid, aside])
def test_a_task_that_must_be_the_first_fails_when_it_is_not(harness, task):
    first = parent(harness, kid("a"))
    run = parent(harness, task("a", "FAIL"))
    assert harness.task(run, "a").status == "FAILED"
    assert "Workflow with the idempotency key order 7 already exists" in harness.task(run, "a").reason
    harness.work({"k": echo})
    assert harness.run(first).status == "COMPLETED"


def test_a_task_that_only_minds_runs_that_go_on_gets_the_one_that_has_ended(harness):
    parent(harness, kid("a"))
    refused = parent(harness, kid("a", "FAIL_ON_RUNNING"))
    assert harness.run(refused).status == "FAILED"
    harness.work({"k": lambda _: {"n": 3}})
    assert harness.run(parent(harness, kid("a", "FAIL_ON_RUNNING"))).status == "COMPLETED"


def test_start_workflow_has_the_id_of_the_run_that_exists(harness):
    first, second = parent(harness, aside("a")), parent(harness, aside("a"))
    assert harness.task(first, "a").output == harness.task(second, "a").output == {"workflowId": kids(harness)[0]}
    harness.work({"k": echo})
    assert harness.run(second).status == "COMPLETED"


@pytest.mark.parametrize("task", [kid, aside])
def test_a_task_that_asks_again_for_its_own_run_is_no_other(harness, task):
    """What was lost with the broker is published again, also by a task whose strategy is FAIL."""
    publish = harness.road.publish
    harness.road.publish = lambda messages: publish(
        [each for each in messages if each.headers.get("baton") != "child_started"]
    )
    run = parent(harness, task("a", "FAIL"))
    harness.road.publish = publish
    harness.clock.advance(1_000)
    harness.restart_decider()
    for number in range(3):
        harness.publish(encode_wake(Wake(event_id=f"resend {number}", workflow_id=run, resend=True), 1))
        harness.request(kids(harness)[0], "update_variables", variables={"number": number})
    assert harness.task(run, "a").status in ("IN_PROGRESS", "COMPLETED")
    harness.work({"k": echo})
    assert harness.run(run).status == "COMPLETED"


def test_who_gives_up_waiting_does_not_stop_the_run_of_another(harness):
    first, second = parent(harness, kid("a")), parent(harness, kid("a"))
    harness.request(second, "terminate")
    assert harness.run(kids(harness)[0]).status == "RUNNING"
    harness.work({"k": echo})
    assert harness.run(first).status == "COMPLETED"


def test_whose_run_it_is_stops_it_for_all(harness):
    first, second = parent(harness, kid("a")), parent(harness, kid("a"))
    harness.request(first, "terminate")
    assert harness.run(kids(harness)[0]).status == "TERMINATED"
    assert harness.task(second, "a").status == "CANCELED"


def test_a_run_that_fails_fails_for_all_and_goes_on_for_who_resumes_it(harness):
    first, second = parent(harness, kid("a")), parent(harness, kid("a"))
    harness.request(kids(harness)[0], "terminate", reason="enough")
    assert {harness.run(run).status for run in (first, second)} == {"TERMINATED"}
    assert harness.request(second, "retry", resumeSubworkflowTasks=True).granted
    assert harness.run(kids(harness)[0]).status == "RUNNING"
    harness.work({"k": lambda _: {"n": 3}})
    assert harness.run(second).status == "COMPLETED"


def test_a_run_does_not_wait_for_itself(harness):
    itself = {"name": "loop", "idempotencyKey": "x", "idempotencyStrategy": "RETURN_EXISTING"}
    harness.register({"name": "loop", "tasks": [step("a", "SUB_WORKFLOW", subWorkflowParam=itself)]})
    run = harness.start("loop", workflow_id=derived_id("key", "loop", "x"), idempotency_key="x")
    assert "wait for its own end" in str(harness.run(run).reason)


def test_a_run_that_cannot_be_decided_is_told_to_all_who_wait(harness, monkeypatch):
    parent(harness, kid("a"))
    monkeypatch.setattr("engine.round.decide", _broken(kids(harness)[0]))
    run = parent(harness, kid("a"))
    assert harness.run(run).status == "FAILED"
    assert "could not decide" in str(harness.task(run, "a").reason)


def _broken(broken: str) -> Any:
    def decided(run: Any, *arguments: Any) -> Any:
        if run.workflow.id == broken:
            raise ZeroDivisionError
        return decide(run, *arguments)

    return decided
