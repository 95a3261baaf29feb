"""signal: ends the first task of a run that waits for one (Conductor 4.8)."""

from __future__ import annotations

from engine.model.event import TaskResult
from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus
from engine.operations.desk import Desk, granted, refused
from engine.operations.update_task import faults, reported_status


def operate(desk: Desk, request: Request) -> Outcome:
    """Complete or fail the first open WAIT or HUMAN task, or the one that ``ref`` names."""
    if desk.workflow.status.is_terminal:
        return refused(409, f"Workflow {desk.workflow.id} has ended ({desk.workflow.status}): nobody waits in it.")
    if wrong := " ".join(faults(request.arguments)):
        return refused(400, wrong)
    ref = request.arguments.get("ref")
    waiting = (task for task in desk.open_tasks() if desk.takes_signal(task) and ref in (None, task.ref))
    task = next(waiting, None)
    if task is None:
        children = [each.child_id for each in desk.open_tasks() if each.child_id]
        hint = f" Its open child runs are {', '.join(children)}." if children else ""
        return refused(404, f"No task of workflow {desk.workflow.id} waits for a signal.{hint}")
    status = reported_status(request.arguments.get("status", TaskStatus.COMPLETED.value))
    assert status is not None, "faults has looked at it"
    reason = request.arguments.get("reason")
    desk.apply(
        TaskResult(
            event_id=request.event_id,
            workflow_id=request.workflow_id,
            seq=task.seq,
            status=status,
            output={**task.output, **(request.arguments.get("output") or {})},
            reason=None if reason is None else str(reason),
            worker=request.by,
        )
    )
    return granted(taskId=task.id, referenceTaskName=task.ref)
