"""The start message: Conductor's StartWorkflowRequest as anybody may publish it, and as we publish it for children."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from engine.model.event import StartWorkflow
from engine.model.execution import WORKFLOW_ID
from engine.model.payload import Json, JsonObject
from engine.wire.fields import MESSAGE_LIMIT, Fields, read_object, write_json
from engine.wire.message import LONGEST_ID, START_QUEUE, Delivery, Message, expect_json

#: The header by which we know our own messages; its value is the message's kind.
KIND_HEADER = "baton"
START_KIND = "start"

#: Conductor's highest priority of a run; queues have 0 to 9.
TOP_PRIORITY = 99

#: The strategy that minds only runs which go on.
FAIL_ON_RUNNING = "FAIL_ON_RUNNING"

STRATEGIES = ("FAIL", "RETURN_EXISTING", FAIL_ON_RUNNING)

#: Ids derived from what the sender gave live in a namespace of their own, so that no other uuid5 meets them.
_DERIVED = uuid.UUID("b2f0a1de-6f0c-5d1b-9a3e-2a7c7d5f4b10")


def derived_id(*parts: str) -> str:
    """Return the id that follows from these parts, the same every time (uuid5)."""
    return str(uuid.uuid5(_DERIVED, "\x1f".join(parts)))


def decode_start(delivery: Delivery, fresh_id: Callable[[], str], limit: int = MESSAGE_LIMIT) -> StartWorkflow:
    """Read a start message; raise ``BadMessage`` naming every field that is wrong.

    A stranger's message of more than ``limit`` bytes is refused unread. Our own are read whatever their size: somebody
    waits for the run and has to be told that there will be none.

    The run's id is ``workflowId`` if given; else it is derived from ``idempotencyKey`` or ``message_id`` with the
    name, so that a resend names the same run; else ``fresh_id()``: such a start is at-least-once. The fields that tie
    a child to its parent count only in our own messages.
    """
    message = delivery.message
    expect_json(message, "A start message")
    ours = message.headers.get(KIND_HEADER) == START_KIND
    document = read_object(message.body, "start message", None if ours else limit)
    return read_start(
        document,
        fresh_id,
        message_id=message.message_id,
        ours=ours,
        reply_to=message.reply_to,
        reply_id=message.correlation_id,
    )


def read_start(
    document: Json,
    fresh_id: Callable[[], str],
    *,
    subject: str = "start message",
    message_id: str | None = None,
    ours: bool = False,
    reply_to: str | None = None,
    reply_id: str | None = None,
) -> StartWorkflow:
    """Read the fields of a StartWorkflowRequest; raise ``BadMessage`` naming every field that is wrong."""
    fields = Fields(document, subject)
    inline = fields.mapping("workflowDef") if fields.raw("workflowDef") is not None else None
    name = _name(fields, inline)
    if message_id is not None and len(message_id) > LONGEST_ID:
        fields.fault("message_id", f"has {len(message_id):,} characters, AMQP allows {LONGEST_ID}")
    key = fields.text("idempotencyKey")
    chosen = _chosen_id(fields)
    if fields.raw("externalInputPayloadStoragePath"):
        fields.fault("externalInputPayloadStoragePath", "is for starts over REST: a message has its data in 'input'")
    workflow_id = chosen or _derived(name, key, message_id) or fresh_id()
    start = StartWorkflow(
        event_id=message_id or workflow_id,
        workflow_id=workflow_id,
        name=name,
        version=fields.integer("version"),
        input=fields.mapping("input", null=False),
        correlation_id=fields.text("correlationId"),
        priority=fields.integer("priority", 0, TOP_PRIORITY) or 0,
        task_to_domain=fields.mapping("taskToDomain"),
        workflow_def=inline,
        idempotency_key=key,
        idempotency_strategy=fields.one_of("idempotencyStrategy", STRATEGIES),
        created_by=fields.text("createdBy"),
        event=fields.text("event"),
        parent_id=fields.text("parentWorkflowId") if ours else None,
        parent_task_id=fields.text("parentWorkflowTaskId") if ours else None,
        depth=(fields.integer("depth", 0) or 0) if ours else 0,
        reply_to=reply_to,
        reply_id=reply_id,
    )
    fields.finish()
    return start


def encode_start(start: StartWorkflow, queue: str = START_QUEUE) -> Message:
    """Return the message that asks for this run; over REST it goes to the run's partition instead of the start line."""
    body = {
        "name": start.name,
        "version": start.version,
        "input": start.input,
        "correlationId": start.correlation_id,
        "priority": start.priority,
        "workflowId": start.workflow_id,
        "idempotencyKey": start.idempotency_key,
        "idempotencyStrategy": start.idempotency_strategy,
        "taskToDomain": start.task_to_domain or None,
        "workflowDef": start.workflow_def,
        "createdBy": start.created_by,
        "event": start.event,
        "parentWorkflowId": start.parent_id,
        "parentWorkflowTaskId": start.parent_task_id,
        "depth": start.depth or None,
    }
    return Message(
        queue=queue,
        body=write_json({field: value for field, value in body.items() if value is not None}),
        headers={KIND_HEADER: START_KIND},
        message_id=start.event_id,
        correlation_id=start.reply_id,
        reply_to=start.reply_to,
        priority=min(start.priority // 10, 9),
    )


def _name(fields: Fields, inline: JsonObject | None) -> str:
    """Return the run's name; inside an inline definition the name wins (Conductor 5.2)."""
    if inline is not None and isinstance(inline.get("name"), str) and inline["name"].strip():
        return str(inline["name"])
    return fields.needed("name")


def _chosen_id(fields: Fields) -> str | None:
    chosen = fields.text("workflowId")
    if chosen is not None and not WORKFLOW_ID.fullmatch(chosen):
        fields.fault(
            "workflowId", "may have 1 to 128 letters, digits and . _ : ~ @ + = -, beginning with a letter or digit"
        )
        return None
    return chosen


def _derived(name: str, key: str | None, message_id: str | None) -> str | None:
    if key:
        return derived_id("key", name, key)
    return derived_id("message", name, message_id) if message_id else None
