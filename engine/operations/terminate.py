"""terminate: ends a run from outside; no failure workflow is started (Conductor 4.10)."""

from __future__ import annotations

from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Terminate a run; one that is TERMINATED already stays as it is."""
    workflow = desk.workflow
    if workflow.status is WorkflowStatus.COMPLETED:
        return refused(409, "Cannot terminate a COMPLETED workflow.")
    if workflow.status is WorkflowStatus.TERMINATED:
        return granted()
    reason = request.arguments.get("reason")
    if workflow.status.is_terminal:
        desk.change_workflow(status=WorkflowStatus.TERMINATED, reason=reason)
        return granted()
    desk.end(WorkflowStatus.TERMINATED, None if reason is None else str(reason))
    return granted()
