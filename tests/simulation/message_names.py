"""What a message is about, as a short text: the same for every time that it is sent."""

from __future__ import annotations

import msgspec

from engine.wire.celery_control import decode_revoke
from engine.wire.message import DEAD_QUEUE, STATUS_EXCHANGE, Message
from engine.wire.nearer import NEARER_KEY
from engine.wire.news import NEWS_KEY

#: The kinds of message, as they are counted when a crash has kept them from being sent.
KINDS = (
    "task", "start", "child_started", "child_ended", "request", "wake", "outcome", "status", "revoke", "dead", "result",
)  # fmt: skip


def name_of(message: Message) -> str:
    """Return ``kind:identity``."""
    if message.exchange == STATUS_EXCHANGE and message.queue in (NEWS_KEY, NEARER_KEY):
        return f"news:{message.queue}"
    if message.exchange == STATUS_EXCHANGE:
        body = msgspec.json.decode(message.body)
        return f"status:{body['workflowId']}:{body['status']}"
    if message.exchange:
        return f"revoke:{decode_revoke(message)}"
    if message.queue == DEAD_QUEUE:
        return f"dead:{message.message_id}"
    kind = message.headers.get("baton")
    if kind == "outcome":
        return f"outcome:{message.correlation_id}"
    if kind in ("child_ended", "child_started"):
        body = msgspec.json.decode(message.body)
        return f"{kind}:{body['workflowId']}:{body['seq']}"
    if kind == "wake":
        return f"wake:{msgspec.json.decode(message.body)['wake']}"
    if kind is not None:
        return f"{kind}:{message.message_id}"
    if "task" in message.headers:
        return f"task:{message.headers['id']}"
    return f"result:{message.correlation_id}"


def about(message: Message) -> str | None:
    """Return the id of the run that a message to the engine concerns, where it says so."""
    if message.exchange or message.queue == DEAD_QUEUE:
        return None
    kind = message.headers.get("baton")
    try:
        body = msgspec.json.decode(message.body)
    except msgspec.DecodeError:
        return None
    if not isinstance(body, dict):
        return message.correlation_id if "task" in message.headers else None
    if kind == "wake":
        return str(body["wake"])
    if "task_id" in body:
        return str(body["task_id"]).rpartition(".")[0]
    return str(body.get("workflowId") or message.message_id)
