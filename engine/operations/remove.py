"""remove: the rows of a run that has ended are deleted; before that, it can be archived (Conductor 4.10)."""

from __future__ import annotations

from engine.model.request import Outcome, Request
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Remove the run; ``archiveWorkflow`` (true unless it is said) keeps what can be read of it.

    A task that should still wait for the run hears of its end once more: nobody could answer later.
    """
    workflow, archive = desk.workflow, request.arguments.get("archiveWorkflow", True)
    if not workflow.status.is_terminal and archive:
        return refused(400, f"Cannot archive workflow: {workflow.id} with status: {workflow.status}")
    if not workflow.status.is_terminal:
        return refused(409, f"Workflow {workflow.id} is {workflow.status}: terminate it first, then remove it.")
    desk.tell_parent_again(request)
    desk.remove(archive=bool(archive))
    return granted()
