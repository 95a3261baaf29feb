"""jump: the flow of a running run goes on at another step, forwards or back (Orkes)."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.definition import walk
from engine.model.request import Outcome, Request
from engine.model.status import Slot, WorkflowStatus
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Go on at the step ``ref``, with ``taskInput`` for its parameters.

    What stands open before it in its list is cancelled, what had been done at it or behind it is done over. Other
    branches go on beside it.
    """
    workflow, ref, given = desk.workflow, str(request.arguments.get("ref")), request.arguments.get("taskInput")
    if workflow.status is not WorkflowStatus.RUNNING:
        return refused(409, f"Workflow {workflow.id} is {workflow.status}, not RUNNING: it goes nowhere.")
    if workflow.slot is Slot.WAITING:
        return refused(409, f"Workflow {workflow.id} waits for its turn: it goes nowhere yet.")
    if not isinstance(given or {}, Mapping):
        return refused(400, "'taskInput' must be a JSON object.")
    if desk.jump_to(ref, given or None):
        desk.go_on()
        return granted()
    if any(step.task_reference_name == ref for _, step in walk(desk.definition.tasks)):
        return refused(409, f"The flow of workflow {workflow.id} is in no branch, case or loop that has a step {ref}.")
    return refused(404, f"The task {ref} does not exist in workflow {workflow.name}.")
