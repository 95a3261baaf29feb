"""pause: nothing new is scheduled until the run is resumed; what is under way may finish (Conductor 4.10)."""

from __future__ import annotations

from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Pause an open run; a paused one stays as it is."""
    workflow = desk.workflow
    if workflow.status.is_terminal:
        return refused(409, f"Workflow {workflow.id} has ended ({workflow.status}), status cannot be updated.")
    if workflow.status is WorkflowStatus.RUNNING:
        desk.change_workflow(status=WorkflowStatus.PAUSED)
        desk.tell("PAUSED")
    return granted()
