"""What is announced on the exchange of statuses: how runs stand, and what is late."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.decider.execution import Execution
from engine.model.command import Alert, Announce
from engine.wire.message import STATUS_EXCHANGE, Message

#: What is announced of a run or task whose timeout has passed and ends nothing; no status of either.
LATE: Final = "LATE"


def announcement(run: Execution, command: Announce) -> Message:
    """Return what is said of a run whose status has changed."""
    workflow = run.workflow
    body = {
        "workflowId": workflow.id,
        "name": workflow.name,
        "version": workflow.version,
        "status": command.status,
        "correlationId": workflow.correlation_id,
        "parentWorkflowId": workflow.parent_id,
        "reason": workflow.reason,
        "at": workflow.updated_at,
    }
    return Message(
        exchange=STATUS_EXCHANGE,
        queue=f"workflow.{command.status.lower()}.{workflow.name}",
        body=msgspec.json.encode(body),
        transient=True,
    )


def alert(run: Execution, command: Alert) -> Message:
    """Return what is said of a run, or of one of its tasks, that is late."""
    workflow, task = run.workflow, run.tasks.get(command.seq)
    body = {
        "workflowId": workflow.id,
        "name": workflow.name,
        "version": workflow.version,
        "status": LATE,
        "correlationId": workflow.correlation_id,
        "taskId": task.id if task else None,
        "ref": task.ref if task else None,
        "reason": command.reason,
        "at": workflow.updated_at,
    }
    key = f"task.{LATE.lower()}.{task.name}" if task else f"workflow.{LATE.lower()}.{workflow.name}"
    return Message(exchange=STATUS_EXCHANGE, queue=key, body=msgspec.json.encode(body), transient=True)
