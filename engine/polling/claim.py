"""What a task's message in hand becomes: the question to the road whether it may be handed out, and what is handed."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from engine.errors import BadMessage
from engine.identifier import new_id
from engine.model.execution import split_task_id
from engine.model.payload import Json
from engine.model.request import Outcome, Request
from engine.polling.poll import HandedOut
from engine.wire.celery_message import RUNTIME_METADATA
from engine.wire.message import Delivery, expect_json

_parts = msgspec.json.Decoder(tuple[Raw, Raw, Raw]).decode


def claim(delivery: Delivery, worker: str | None, reply_to: str) -> Request:
    """Return the question; raise ``BadMessage`` when the message is not one of our tasks."""
    identity = str(delivery.message.headers.get("id") or "")
    split = split_task_id(identity)
    if split is None or delivery.message.headers.get("workflow_id") != split[0]:
        raise BadMessage(f"The message names the task {identity[:100]!r}, which is no task of a workflow")
    input_of(delivery)
    return Request(
        event_id=new_id(),
        workflow_id=split[0],
        verb="take_task",
        arguments={"taskId": identity, "workerId": worker, "redelivered": delivery.redelivered},
        by=worker,
        reply_to=reply_to,
        reply_id=new_id(),
    )


def input_of(delivery: Delivery) -> Raw:
    """Return the task's input as it is written in its message; raise ``BadMessage`` when there is none."""
    expect_json(delivery.message, "A task")
    try:
        given = _parts(delivery.message.body)[1]
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadMessage(f"A task's message must be one of Celery's, version 2: {error}") from None
    if not bytes(given).startswith(b"{"):
        raise BadMessage("A task's message must have its input as keyword arguments")
    return given


def handed_out(delivery: Delivery, outcome: Outcome) -> HandedOut | None:
    """Return what the worker gets by the road's answer; None when the task is not to be handed out."""
    shown: Json = outcome.result.get("task")
    if not outcome.granted or not isinstance(shown, dict):
        return None
    runtime = delivery.message.headers.get(RUNTIME_METADATA)
    if isinstance(runtime, dict) and runtime:
        shown = {**shown, "runtimeMetadata": runtime}
    return HandedOut(shown["taskId"], shown["workflowInstanceId"], shown, input_of(delivery))


def task_json(handed: HandedOut) -> dict[str, Json]:
    """Return Conductor's Task object as the worker gets it, its input with the secrets in it."""
    return {**handed.task, "inputData": handed.input}


def giving_back(handed: HandedOut) -> Request:
    """Return the request that puts a task back into its queue which nobody has got."""
    arguments = {"taskId": handed.task_id, "status": "IN_PROGRESS", "callbackAfterSeconds": 0, "mergeOutput": True}
    return Request(event_id=new_id(), workflow_id=handed.workflow_id, verb="update_task", arguments=arguments)
