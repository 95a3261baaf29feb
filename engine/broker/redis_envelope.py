"""Messages as kombu lays them into Redis, so that any Celery worker reads ours and we read any worker's."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from engine.broker import topology
from engine.model.payload import Json
from engine.wire.message import Message

#: Stands between a queue's name and its priority step in the name of a list.
SEPARATOR = "\x06\x16"

#: What follows a queue's name in the names of its lists, most urgent first: kombu's ``priority_steps``, unless somebody
#: changes them. A worker with other steps would not look into all of these lists.
STEPS = ("", f"{SEPARATOR}3", f"{SEPARATOR}6", f"{SEPARATOR}9")

#: Where workers note what they have taken: kombu's own name, and ours for those that lease (``workers.redis_lease``).
UNACKED, LEASED = "unacked", "baton:leased"

#: Bytes. Redis ends the connection of whoever sends a longer value (``proto-max-bulk-len``).
MOST_BYTES = 512 * 1024 * 1024

_TRANSIENT, _PERSISTENT = 1, 2


def list_of(message: Message) -> str:
    """Return the list into which a message belongs: that of its priority, in queues that have any."""
    return message.queue + STEPS[_urgency(message) // 3] if _has_priorities(message.queue) else message.queue


def queue_of(key: str) -> str:
    """Return the queue to which a list belongs."""
    return key.partition(SEPARATOR)[0]


def encode(message: Message) -> bytes:
    """Write a message down; raise ``TypeError`` or ``ValueError`` for headers that are no JSON."""
    given = {
        "correlation_id": message.correlation_id,
        "message_id": message.message_id,
        "reply_to": message.reply_to,
    }
    properties: dict[str, Json] = {
        **{name: value for name, value in given.items() if value is not None},
        "delivery_mode": _TRANSIENT if message.transient else _PERSISTENT,
        "delivery_info": {"exchange": message.exchange, "routing_key": message.queue},
        "priority": _urgency(message),
        "body_encoding": "base64",
        # Workers keep what they have taken under this name: it must be nobody else's.
        "delivery_tag": str(uuid.uuid4()),
    }
    # The body comes first: by that the scripts know a message that is laid down like this.
    envelope = {
        "body": base64.b64encode(message.body).decode(),
        "content-encoding": message.content_encoding,
        "content-type": message.content_type,
        "headers": dict(message.headers),
        "properties": properties,
    }
    return msgspec.json.encode(envelope)


def decode(payload: bytes, queue: str) -> tuple[Message, bool]:
    """Read a message, and whether it was delivered before.

    What is not laid down as kombu does it is a body without properties: so anybody can start a workflow by ``LPUSH``.
    """
    envelope = _envelope(payload)
    body = None if envelope is None else _body(envelope)
    if envelope is None or body is None:
        return Message(queue=queue, body=payload), False
    properties: Mapping[str, Json] = envelope["properties"]
    headers = envelope.get("headers")
    address = properties.get("delivery_info")
    info: Mapping[str, Json] = address if isinstance(address, dict) else {}
    urgency = properties.get("priority")
    message = Message(
        queue=_text(info.get("routing_key")) or queue,
        exchange=_text(info.get("exchange")) or "",
        body=body,
        headers=headers if isinstance(headers, dict) else {},
        content_type=_text(envelope.get("content-type")) or "application/json",
        content_encoding=_text(envelope.get("content-encoding")) or "utf-8",
        message_id=_text(properties.get("message_id")),
        correlation_id=_text(properties.get("correlation_id")),
        reply_to=_text(properties.get("reply_to")),
        priority=9 - min(max(urgency, 0), 9) if isinstance(urgency, int) else 0,
        transient=properties.get("delivery_mode") == _TRANSIENT,
    )
    return message, bool(envelope.get("redelivered") or info.get("redelivered"))


@lru_cache(maxsize=10_000)
def _has_priorities(queue: str) -> bool:
    return topology.queue(queue).priorities


def _urgency(message: Message) -> int:
    """Return the priority as kombu means it on Redis: 0 is the most urgent."""
    return 9 - min(max(message.priority, 0), 9)


def _envelope(payload: bytes) -> dict[str, Json] | None:
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    known = isinstance(found, dict) and "body" in found and isinstance(found.get("properties"), dict)
    return found if known else None


def _body(envelope: Mapping[str, Json]) -> bytes | None:
    body = envelope["body"]
    if not isinstance(body, str):
        return None
    if envelope["properties"].get("body_encoding") != "base64":
        return body.encode()
    try:
        return base64.b64decode(body)
    except (binascii.Error, ValueError):
        return None


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
