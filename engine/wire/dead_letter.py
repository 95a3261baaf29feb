"""A message that could not be understood, kept with the reason until somebody looks at it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from engine.clock import Instant, milliseconds
from engine.errors import BadMessage
from engine.model.payload import Json
from engine.wire.message import DEAD_QUEUE, Delivery, Message

_REASON = "reason"
_FROM = "from"
_AT = "at"

#: What RabbitMQ itself writes on a message that a policy has dead-lettered (its dead letter exchanges).
_BROKER_REASON = "x-first-death-reason"
_BROKER_FROM = "x-first-death-queue"

#: Bytes of the reason in a header; RabbitMQ refuses headers beyond its frame size.
_REASON_LIMIT = 2000


class DeadLetter(Struct, frozen=True, kw_only=True):
    """What is known about a dead letter: why it is dead, the queue it came from, and when (epoch milliseconds)."""

    reason: str
    origin: str
    at: int
    message: Message


def bury(delivery: Delivery, reason: str, now: Instant) -> Message:
    """Return the message that keeps a delivery in ``baton.dead``: the original, and why, whence and when in headers."""
    headers = {
        **delivery.message.headers,
        _REASON: reason[:_REASON_LIMIT],
        _FROM: delivery.queue,
        _AT: milliseconds(now),
    }
    return replace(delivery.message, queue=DEAD_QUEUE, exchange="", headers=headers, transient=False)


def read_dead(message: Message) -> DeadLetter:
    """Return what the headers of a dead letter say; a stranger's headers are read as far as they go."""
    headers = message.headers
    at = headers.get(_AT)
    return DeadLetter(
        reason=str(headers.get(_REASON) or headers.get(_BROKER_REASON) or "no reason is given"),
        origin=str(headers.get(_FROM) or headers.get(_BROKER_FROM) or ""),
        at=at if isinstance(at, int) else 0,
        message=message,
    )


def revive(message: Message) -> Message:
    """Return the original of a dead letter, for the queue it came from.

    Raises ``BadMessage`` when the letter does not say where it came from.
    """
    origin = read_dead(message).origin
    if not origin:
        raise BadMessage("The dead letter does not say which queue it came from: publish it again by hand.")
    headers = {name: value for name, value in message.headers.items() if name not in (_REASON, _FROM, _AT)}
    return replace(message, queue=origin, exchange="", headers=headers)


def dead_json(identity: str, letter: DeadLetter, *, body_limit: int) -> dict[str, Json]:
    """Return a dead letter for people: the body as text, cut after ``body_limit`` characters."""
    text = letter.message.body.decode("utf-8", "backslashreplace")
    return {
        "id": identity,
        "reason": letter.reason,
        "from": letter.origin,
        "at": letter.at,
        "bytes": len(letter.message.body),
        "messageId": letter.message.message_id,
        "correlationId": letter.message.correlation_id,
        "body": text if len(text) <= body_limit else text[:body_limit] + "…",
    }
