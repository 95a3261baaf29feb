"""A run that cannot be decided still ends what nobody wants any more."""

from __future__ import annotations

from engine.decider.decide import give_up
from engine.decider.execution import salvage
from engine.model.command import Abandon, Cancel
from engine.model.definition import WorkflowDef
from engine.model.event import ChildStarted
from tests.unit.decider.steps import child, run_of, step


def a_parent(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    return run_of(harness, child("c", "kid"))


def commanded(harness, run, kid):
    """Return what follows when the news of a child cannot be decided."""
    rows = harness.rows(run)
    execution = salvage(rows.workflow, rows.tasks, WorkflowDef(name="flow", tasks=[]))
    news = ChildStarted(event_id="late", workflow_id=run, seq=1, child_id=kid)
    return give_up(execution, [news], harness.clock.now(), "a fault").commands["late"]


def test_a_child_that_begins_after_its_parent_has_ended_is_ended_though_the_parent_cannot_be_decided(harness):
    run = a_parent(harness)
    harness.request(run, "terminate")
    assert commanded(harness, run, harness.task(run, "c").child_id) == (Cancel(1),)


def test_a_child_whose_task_was_taken_out_of_the_flow_is_ended_though_the_parent_cannot_be_decided(harness):
    run = a_parent(harness)
    kid = harness.task(run, "c").child_id
    harness.request(run, "terminate")
    harness.request(run, "restart")
    assert Abandon(1, kid) in commanded(harness, run, kid)
