"""The two tables of what may follow what: every pair is tried."""

from __future__ import annotations

import itertools

import pytest

from engine.clock import Instant
from engine.decider.draft import Draft, IllegalMove, Surroundings
from engine.decider.execution import Execution
from engine.decider.plan import plan_of
from engine.model.definition import WorkflowDef, WorkflowTask
from engine.model.execution import Task, Workflow
from engine.model.status import TASK_TRANSITIONS, WORKFLOW_TRANSITIONS, TaskStatus, WorkflowStatus

STEP = plan_of(WorkflowTask())


def draft(status: WorkflowStatus = WorkflowStatus.RUNNING) -> Draft:
    workflow = Workflow(id="w", name="flow", version=1, definition_hash="", status=status)
    return Draft(Execution(workflow, WorkflowDef(name="flow")), Instant(1), Surroundings())


@pytest.mark.parametrize(("before", "after"), list(itertools.product(TaskStatus, TaskStatus)))
def test_a_task_moves_as_its_table_says(before, after):
    there = draft()
    task = there.add(Task(workflow_id="w", seq=1, ref="a", type="SIMPLE", name="a", status=before), STEP, "a")
    if after is before or after in TASK_TRANSITIONS[before]:
        assert there.change(task, status=after).status is after
        assert (1 in there.open) is after.is_open
    else:
        with pytest.raises(IllegalMove, match=f"cannot go from {before} to {after}"):
            there.change(task, status=after)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(WorkflowStatus, WorkflowStatus)))
def test_a_workflow_moves_as_its_table_says(before, after):
    there = draft(before)
    if after is before or after in WORKFLOW_TRANSITIONS[before]:
        assert there.change_workflow(status=after).status is after
    else:
        with pytest.raises(IllegalMove, match=f"cannot go from {before} to {after}"):
            there.change_workflow(status=after)


def test_the_tables_know_every_status():
    assert set(TASK_TRANSITIONS) == set(TaskStatus)
    assert set(WORKFLOW_TRANSITIONS) == set(WorkflowStatus)


def test_what_has_succeeded_moves_only_where_it_is_done_over():
    after = {follower for status in TaskStatus if status.is_successful for follower in TASK_TRANSITIONS[status]}
    assert after == {TaskStatus.IN_PROGRESS}
    assert WORKFLOW_TRANSITIONS[WorkflowStatus.COMPLETED] == {WorkflowStatus.RUNNING}
