"""resume: a paused run goes on; its timeout starts anew (Conductor 4.10)."""

from __future__ import annotations

from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Resume a paused run."""
    workflow = desk.workflow
    if workflow.status is not WorkflowStatus.PAUSED:
        return refused(409, f"Workflow {workflow.id} is {workflow.status}, not PAUSED: there is nothing to resume.")
    desk.change_workflow(status=WorkflowStatus.RUNNING, last_retried_at=desk.now)
    desk.tell("RESUMED")
    desk.go_on()
    return granted()
