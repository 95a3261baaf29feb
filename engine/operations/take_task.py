"""take_task: a worker that polls wants the task whose message the server holds; it has it once this is granted."""

from __future__ import annotations

from typing import Final

from engine.model.event import Beginning
from engine.model.request import HANDED_OUT, Outcome, Request
from engine.model.status import TaskStatus
from engine.operations.desk import Desk, begin_task, refused, task_named

#: Asked for every task that is polled for: the task's row says who has it, and asking twice does no harm.
LOGGED: Final = False


def operate(desk: Desk, request: Request) -> Outcome:
    """Put the task IN_PROGRESS for that worker; refuse it where the message is an old one.

    A task that is IN_PROGRESS already is granted only to a message that was delivered before: whoever had it then has
    not let go of it, and may be gone. The answer shows the task as it is from now on.
    """
    identity = request.arguments.get("taskId")
    task = task_named(desk, identity)
    if task is None:
        return refused(404, f"Workflow {desk.workflow.id} has no task {identity}.")
    if task.status.is_terminal:
        return refused(409, f"Task {task.id} has ended ({task.status}): this message is an old one.")
    again = task.status is TaskStatus.IN_PROGRESS
    if again and not (task.queue and request.arguments.get("redelivered")):
        return refused(409, f"Task {task.id} is in progress already: this message is an old one.")
    applied, now = begin_task(desk, request, task, Beginning.AGAIN if again else Beginning.FIRST, polled=True)
    if not applied or not now.status.is_open:
        return refused(409, f"Task {task.id} is not to be begun now: {now.reason or 'this message is an old one'}.")
    return Outcome(granted=True, result={HANDED_OUT: task.seq})
