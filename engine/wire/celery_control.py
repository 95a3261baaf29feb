"""Celery's remote control, as far as the engine uses it: asking all workers to forget a task."""

from __future__ import annotations

import msgspec

from engine.wire.message import Message

#: The exchange on which every Celery worker listens (kombu's pidbox in Celery's default namespace).
CONTROL_EXCHANGE = "celery.pidbox"


def encode_revoke(task_id: str, *, terminate: bool = False) -> Message:
    """Return the broadcast by which workers drop a task that they have not begun; ``terminate`` also stops it.

    Best effort: it reaches only workers that run now (Celery's ``control.revoke``).
    """
    body = {
        "method": "revoke",
        "arguments": {"task_id": task_id, "terminate": terminate, "signal": "SIGTERM"},
        "destination": None,
        "pattern": None,
        "matcher": None,
    }
    return Message(exchange=CONTROL_EXCHANGE, queue="", body=msgspec.json.encode(body), transient=True)


def decode_revoke(message: Message) -> str | None:
    """Return the id of the task that a broadcast revokes, or None when it says something else."""
    try:
        body = msgspec.json.decode(message.body)
        return str(body["arguments"]["task_id"]) if body["method"] == "revoke" else None
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, RecursionError):
        return None
