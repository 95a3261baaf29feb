"""terminate: ends a run from outside; its failure workflow is started only on demand (Conductor 4.10)."""

from __future__ import annotations

from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Terminate a run; one that is TERMINATED already stays as it is.

    A run that FAILED or TIMED_OUT becomes TERMINATED too, unless ``onlyIfOpen`` says that it is only to be stopped:
    so a parent that gives up a child does not rewrite how the child has ended meanwhile. ``triggerFailureWorkflow``
    has the failure workflow started, as Orkes' servers do when a client asks for it.
    """
    workflow = desk.workflow
    if request.arguments.get("onlyIfOpen") and request.by != workflow.parent_task_id:
        # The task has found the run by its idempotency key: others want it, and it is not for this one to stop.
        return granted()
    if workflow.status is WorkflowStatus.COMPLETED:
        return refused(409, "Cannot terminate a COMPLETED workflow.")
    if workflow.status is WorkflowStatus.TERMINATED:
        return granted()
    given = request.arguments.get("reason")
    reason = None if given is None else str(given)
    if not workflow.status.is_terminal:
        on_demand = bool(request.arguments.get("triggerFailureWorkflow"))
        desk.end(WorkflowStatus.TERMINATED, reason, failure_workflow=on_demand)
    elif not request.arguments.get("onlyIfOpen"):
        desk.change_workflow(status=WorkflowStatus.TERMINATED, reason=reason)
    return granted()
