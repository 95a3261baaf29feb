"""retry: a failed run goes on from where it failed (Conductor 4.10)."""

from __future__ import annotations

from engine.model.execution import Task
from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.operations.desk import Desk, granted, refused

_AGAIN = frozenset(
    {TaskStatus.FAILED, TaskStatus.FAILED_WITH_TERMINAL_ERROR, TaskStatus.TIMED_OUT, TaskStatus.CANCELED}
)


def operate(desk: Desk, request: Request) -> Outcome:
    """Give every task that failed or was cancelled a further attempt; containers are reopened in their place.

    So do permissive failures that the flow has passed; what was done behind them is not done again.
    """
    workflow = desk.workflow
    if not workflow.status.is_terminal:
        return refused(404, f"Workflow is still running.  status={workflow.status}")
    if request.arguments.get("resumeSubworkflowTasks"):
        return refused(400, "resumeSubworkflowTasks is not offered: retry the failed child run itself, by its own id.")
    last: dict[str, Task] = {task.ref: task for task in desk.tasks()}
    failed = (task for task in last.values() if task.status in _AGAIN)
    closed = [task for task in failed if not task.executed or desk.is_within_reach(task)]
    # A TERMINATE task completes a run and cancels what is open beside it: that is an end, and nothing to mend.
    completed = workflow.status is WorkflowStatus.COMPLETED
    if completed or (not closed and workflow.status is not WorkflowStatus.TIMED_OUT):
        return refused(409, f"Workflow {workflow.id} is {workflow.status} and no task of it can be retried.")
    desk.change_workflow(status=WorkflowStatus.RUNNING, last_retried_at=desk.now, reason=None, failed_task_id=None)
    for task in closed:
        if desk.is_container(task):
            desk.reopen(task)
        else:
            desk.attempt_again(task)
    desk.go_on()
    return granted()
