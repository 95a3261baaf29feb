"""signal: ends the first task that waits for one, in a run or in the runs below it (Conductor 4.8)."""

from __future__ import annotations

from engine.model.event import TaskResult
from engine.model.execution import Task
from engine.model.passing import back, behind, down, passed_on
from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus
from engine.operations.desk import Desk, granted, refused
from engine.operations.update_task import faults, reported_status


def operate(desk: Desk, request: Request) -> Outcome:
    """Complete or fail the first open task that takes signals, in this run or in what it waits for.

    Tasks are looked through in the order of scheduling; where one waits for a child run, the signal goes to the child,
    and comes back when nobody waits there either. With ``ref`` it is for that task of this very run.
    """
    if wrong := " ".join(faults(request.arguments)):
        return refused(400, wrong)
    if desk.workflow.status.is_terminal:
        ended = f"Workflow {desk.workflow.id} has ended ({desk.workflow.status}): nobody waits in it."
        return _sent_back(desk, request) or refused(409, ended)
    ref = request.arguments.get("ref")
    for task in desk.open_tasks():
        if task.seq <= behind(request):
            continue
        if desk.takes_signal(task) and ref in (None, task.ref):
            return _end(desk, task, request)
        if ref is None and desk.has_child(task):
            desk.pass_on(down(request, task))
            return passed_on(str(task.child_id))
    nobody = f"No task of workflow {desk.workflow.id} waits for a signal, nor does one of the runs that it waits for."
    return _sent_back(desk, request) or refused(404, nobody)


def _sent_back(desk: Desk, request: Request) -> Outcome | None:
    """Let the run that has passed a signal on look further; None where it was sent to this very run."""
    returned = back(request)
    if returned is None:
        return None
    desk.pass_on(returned)
    return passed_on(returned.workflow_id)


def _end(desk: Desk, task: Task, request: Request) -> Outcome:
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
    return granted(workflowId=desk.workflow.id, taskId=task.id, referenceTaskName=task.ref)
