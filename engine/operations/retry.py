"""retry: a failed run goes on from where it failed, and so does every run above it (Conductor 4.10)."""

from __future__ import annotations

from collections.abc import Iterable

from engine.model.execution import Task, split_task_id
from engine.model.request import ASKED_BY, REVIVED_TASK, Outcome, Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.operations.desk import Desk, granted, refused

_AGAIN = frozenset(
    {TaskStatus.FAILED, TaskStatus.FAILED_WITH_TERMINAL_ERROR, TaskStatus.TIMED_OUT, TaskStatus.CANCELED}
)


def operate(desk: Desk, request: Request) -> Outcome:
    """Give every task that failed or was cancelled a further attempt; containers are reopened in their place.

    So do permissive failures that the flow has passed; what was done behind them is not done again.

    With ``resumeSubworkflowTasks`` a SUB_WORKFLOW does not start another child: the one that failed is retried in the
    same way. The runs above wait again for a run that is retried: it asks its parent with ``revivedTask``, the id of
    the parent's task. A child that its parent asks (``askedBy``, the task's id) answers also when it cannot be
    retried, because the task waits for it.
    """
    outcome = _operate(desk, request)
    if not outcome.granted and ASKED_BY in request.arguments and desk.workflow.status.is_terminal:
        desk.tell_parent_again(request)
    return outcome


def _operate(desk: Desk, request: Request) -> Outcome:
    workflow = desk.workflow
    if not workflow.status.is_terminal:
        return refused(404, f"Workflow is still running.  status={workflow.status}")
    last: dict[str, Task] = {task.ref: task for task in desk.tasks()}
    failed = (task for task in last.values() if task.status in _AGAIN)
    closed = [task for task in failed if not task.executed or desk.is_within_reach(task)]
    # A TERMINATE task completes a run and cancels what is open beside it: that is an end, and nothing to mend.
    completed = workflow.status is WorkflowStatus.COMPLETED
    revived = _revived(request)
    passed = _passed(desk, last.values(), revived, request.by) if not (completed and closed) else ()
    if not passed and (completed or (not closed and workflow.status is not WorkflowStatus.TIMED_OUT)):
        return refused(409, f"Workflow {workflow.id} is {workflow.status} and no task of it can be retried.")
    closed += passed
    if revived is not None and not any(task.id == revived and task.child_id == request.by for task in closed):
        return refused(409, f"Workflow {workflow.id} does not wait for {request.by} any more.")
    desk.change_workflow(status=WorkflowStatus.RUNNING, last_retried_at=desk.now, reason=None, failed_task_id=None)
    desk.tell("RETRIED")
    for task in closed:
        if task.id == revived:
            desk.wait_for_child(task)
        elif desk.is_container(task):
            desk.reopen(task)
        elif request.arguments.get("resumeSubworkflowTasks") and desk.has_child(task):
            desk.retry_child(task)
        else:
            desk.attempt_again(task)
    if ASKED_BY not in request.arguments:
        desk.revive_parent()
    desk.go_on()
    return granted()


def _passed(desk: Desk, last: Iterable[Task], revived: str | None, child_id: str | None) -> tuple[Task, ...]:
    """Return the task whose child is done over though the flow has passed it: it has to wait for the child again."""
    return tuple(
        task
        for task in last
        if task.id == revived
        and task.child_id == child_id
        and task.status is TaskStatus.COMPLETED
        and desk.is_within_reach(task)
    )


def _revived(request: Request) -> str | None:
    """Return the id of the task whose child goes on already, if that is why the run is retried."""
    revived = request.arguments.get(REVIVED_TASK)
    return revived if isinstance(revived, str) and split_task_id(revived) is not None else None
