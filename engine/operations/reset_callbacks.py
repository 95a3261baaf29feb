"""reset_callbacks: tasks that wait for their next delivery are handed out at once (Conductor 4.10)."""

from __future__ import annotations

from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """End the delays of an open run: those that workers asked for, those before a start or a further attempt."""
    workflow = desk.workflow
    if workflow.status.is_terminal:
        return refused(409, f"Workflow {workflow.id} has ended ({workflow.status}): nothing waits in it.")
    waiting = [task for task in desk.open_tasks() if task.status is TaskStatus.SCHEDULED and task.visible_at > desk.now]
    for task in waiting:
        desk.end_delay(task)
    if workflow.status is WorkflowStatus.RUNNING:
        desk.go_on()
    return granted(tasks=[task.id for task in waiting])
