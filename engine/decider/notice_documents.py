"""What listeners are told: a summary of the run or task, with masked fields hidden and nothing of any size in it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from engine.clock import Instant, milliseconds
from engine.expression.budget import outweighs
from engine.model.execution import Task, Workflow
from engine.model.payload import Json, JsonObject
from engine.wire.conductor import summary_json
from engine.wire.masked_fields import masked_task, masked_workflow

#: Characters of what a run or task got and made, as JSON, that travel in a notice; larger ones are to be asked for.
_LARGEST_PAYLOAD: Final = 256 * 1024

#: What a summary says of payloads as texts.
_AS_TEXTS: Final = ("input", "output", "inputSize", "outputSize")


def run_document(identity: str, event: str, at: Instant, workflow: Workflow, hidden: Collection[str]) -> JsonObject:
    """Return what listeners are told of a run; ``hidden`` are the names of its masked fields."""
    return {**_head(identity, event, at), "workflow": _run(masked_workflow(workflow, hidden))}


def task_document(
    identity: str, event: str, at: Instant, workflow: Workflow, task: Task, hidden: Collection[str]
) -> JsonObject:
    """Return what listeners are told of a task."""
    shown = masked_task(task, hidden)
    return {
        **_head(identity, event, at),
        "workflow": {
            "workflowId": workflow.id,
            "workflowType": workflow.name,
            "version": workflow.version,
            "status": workflow.status.value,
            "correlationId": workflow.correlation_id,
        },
        "task": {
            "taskId": task.id,
            "referenceTaskName": task.ref,
            "taskDefName": task.name,
            "taskType": task.type,
            "status": task.status.value,
            "retryCount": task.attempt,
            "iteration": task.iteration,
            "scheduledTime": milliseconds(task.scheduled_at),
            "startTime": milliseconds(task.started_at),
            "endTime": milliseconds(task.ended_at),
            "workerId": task.worker,
            "reasonForIncompletion": task.reason,
            **_payloads(inputData=shown.input, outputData=shown.output),
        },
    }


def _head(identity: str, event: str, at: Instant) -> JsonObject:
    return {"id": identity, "event": event, "at": milliseconds(at)}


def _run(workflow: Workflow) -> JsonObject:
    bare = summary_json(msgspec.structs.replace(workflow, input={}, output={}))
    summary = {name: value for name, value in bare.items() if name not in _AS_TEXTS}
    return {**summary, **_payloads(input=workflow.input, output=workflow.output)}


def _payloads(**payloads: JsonObject) -> dict[str, Json]:
    """Return these payloads; a large one is null, and ``truncated`` names it."""
    large = [name for name, value in payloads.items() if outweighs(value, _LARGEST_PAYLOAD)]
    shown: dict[str, Json] = {name: None if name in large else value for name, value in payloads.items()}
    return {**shown, "truncated": large} if large else shown
