"""Runs and tasks as live streams tell of them: how they stand, without people's data."""

from __future__ import annotations

from engine.clock import milliseconds
from engine.model.execution import Task, Workflow
from engine.model.payload import Json


def run_line(workflow: Workflow) -> dict[str, Json]:
    """Return how a run stands, under the names of Conductor's Workflow object."""
    return {
        "workflowId": workflow.id,
        "workflowName": workflow.name,
        "workflowVersion": workflow.version,
        "status": workflow.status.value,
        "createTime": milliseconds(workflow.created_at),
        "updateTime": milliseconds(workflow.updated_at),
        "endTime": milliseconds(workflow.ended_at),
        "failedReferenceTaskNames": list(workflow.failed_refs),
        **_present(
            correlationId=workflow.correlation_id,
            parentWorkflowId=workflow.parent_id,
            reasonForIncompletion=workflow.reason,
        ),
    }


def task_line(task: Task, shown_type: str) -> dict[str, Json]:
    """Return how a task stands, under the names of Conductor's Task object."""
    return {
        "taskId": task.id,
        "referenceTaskName": task.ref,
        "taskType": shown_type,
        "taskDefName": task.name,
        "status": task.status.value,
        "seq": task.seq,
        "iteration": task.iteration,
        "retryCount": task.attempt,
        "retried": task.retried,
        "pollCount": task.polls,
        "scheduledTime": milliseconds(task.scheduled_at),
        "startTime": milliseconds(task.started_at),
        "updateTime": milliseconds(task.updated_at),
        "endTime": milliseconds(task.ended_at),
        **_present(workerId=task.worker, subWorkflowId=task.child_id, reasonForIncompletion=task.reason),
    }


def _present(**fields: Json) -> dict[str, Json]:
    return {name: value for name, value in fields.items() if value is not None}
