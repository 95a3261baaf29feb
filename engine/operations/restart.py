"""restart: a run that has ended begins anew under its id; what it was can still be read (Conductor 4.10)."""

from __future__ import annotations

from engine.model.execution import NEVER
from engine.model.payload import Json
from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Begin anew, with ``useLatestDefinitions`` by what is registered now; variables stay, as in Conductor."""
    workflow = desk.workflow
    if not workflow.status.is_terminal:
        return refused(409, f"Workflow: {workflow.id} is not in terminal state, unable to restart.")
    if workflow.status is WorkflowStatus.COMPLETED and not desk.definition.restartable:
        return refused(404, f"Workflow: {workflow.id} is non-restartable")
    missing = desk.use_definition(None, keep_tasks=False) if request.arguments.get("useLatestDefinitions") else None
    if missing is not None:
        return refused(404, missing)
    desk.take_all_out()
    desk.change_workflow(
        status=WorkflowStatus.RUNNING,
        output={},
        created_at=desk.now,
        ended_at=NEVER,
        last_retried_at=NEVER,
        skips={},
        **cleared(),
    )
    desk.tell("RESTARTED")
    desk.revive_parent()
    desk.go_on()
    return granted()


def cleared() -> dict[str, Json]:
    """Return the fields of a run that say how it failed, emptied."""
    return {"reason": None, "failed_task_id": None, "failed_refs": (), "failed_names": ()}
