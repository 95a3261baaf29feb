"""take_again: a worker that is handed a task which was handed out before asks whether to begin it once more."""

from __future__ import annotations

from engine.model.event import Beginning
from engine.model.request import Outcome, Request
from engine.operations.desk import Desk, begin_task, granted, refused, task_named


def operate(desk: Desk, request: Request) -> Outcome:
    """Count the beginning and grant it, unless the task has ended or has cost too many workers; then it ends here.

    Broker queues with priorities do not count deliveries: whoever had the message may have died of it, and would again.
    The answer holds ``timesBegun``, this time included.
    """
    identity = request.arguments.get("taskId")
    task = task_named(desk, identity)
    if task is None:
        return refused(404, f"Workflow {desk.workflow.id} has no task {identity}.")
    if task.status.is_open and not task.queue:
        return refused(409, f"Task {task.id} was done by a worker and waits for somebody else to complete it.")
    applied, now = begin_task(desk, request, task, Beginning.AGAIN)
    if not applied and now.status.is_open:
        return refused(409, f"Task {task.id} is to be handed out again later: this message is an old one.")
    if not applied or not now.status.is_open:
        return refused(409, f"Task {task.id} has ended ({now.status}): {now.reason or 'it is not to be run again'}.")
    return granted(taskId=task.id, timesBegun=now.times_begun)
