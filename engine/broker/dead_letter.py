"""The name by which a dead letter is shown and asked for."""

from __future__ import annotations

import hashlib

from engine.wire.message import Message


def letter_id(message: Message) -> str:
    """Return what tells this dead letter from others.

    That is its ``message_id``; of a Celery message, which has none, the task's id; else a digest of the body, so that
    a stranger's message can be named too.
    """
    if message.message_id:
        return message.message_id
    task_id = message.headers.get("id")
    return task_id if isinstance(task_id, str) and task_id else hashlib.sha256(message.body).hexdigest()[:16]
