"""Tasks as Conductor's TaskSummary shows them in the results of a search (reference 5.12)."""

from __future__ import annotations

from engine.clock import iso, milliseconds
from engine.model.execution import Task, Workflow
from engine.model.payload import Json, StoredOutside
from engine.wire.conductor import Described
from engine.wire.fields import write_json


def task_summary_json(task: Task, workflow: Workflow, described: Described) -> dict[str, Json]:
    """Return Conductor's TaskSummary; input and output are JSON texts (Conductor prints Java's map notation)."""
    took = task.ended_at - task.started_at if task.started_at and task.ended_at else 0
    waited = task.started_at - max(task.scheduled_at, task.visible_at) if task.started_at and task.scheduled_at else 0
    shown: dict[str, Json | None] = {
        "workflowId": task.workflow_id,
        "workflowType": workflow.name,
        "correlationId": workflow.correlation_id,
        "scheduledTime": iso(task.scheduled_at),
        "startTime": iso(task.started_at),
        "updateTime": iso(task.updated_at),
        "endTime": iso(task.ended_at),
        "status": task.status.value,
        "reasonForIncompletion": task.reason,
        "executionTime": milliseconds(took),
        "queueWaitTime": max(0, milliseconds(waited)),
        "taskDefName": described.task_def_name,
        "taskType": described.task_type,
        "referenceTaskName": task.ref,
        "input": write_json(task.input).decode(),
        "output": write_json(task.output).decode(),
        "taskId": task.id,
        "workflowPriority": workflow.priority,
        "domain": task.domain,
    }
    for name, payload in (("Input", task.input), ("Output", task.output)):
        if isinstance(payload, StoredOutside):
            shown[f"external{name}PayloadStoragePath"] = payload.path
    return {name: value for name, value in shown.items() if value is not None}
