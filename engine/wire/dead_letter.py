"""A message that could not be carried out, kept with the reason until somebody looks at it."""

from __future__ import annotations

from collections.abc import Mapping

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
_BROKER_EXCHANGE = "x-first-death-exchange"
_BROKER_HISTORY = "x-death"
#: How often a quorum queue had handed it out before.
_BROKER_COUNT = "x-delivery-count"

#: RabbitMQ's reasons in a sentence; others are shown as they are.
_BROKER_REASONS: Mapping[str, str] = {
    "delivery_limit": (
        "delivery_limit: it was handed out more often than its queue allows, because whoever had it died, lost the "
        "broker or gave it back each time"
    ),
    "rejected": "rejected: whoever had it refused it for good",
    "expired": "expired: it has waited longer than it may",
    "maxlen": "maxlen: its queue was full",
}

#: What is of no use to whoever gets the message again; a count that it brought along would make it look dangerous.
_NOT_SENT_AGAIN = frozenset(
    {_REASON, _FROM, _AT, _BROKER_REASON, _BROKER_FROM, _BROKER_EXCHANGE, _BROKER_HISTORY, _BROKER_COUNT}
)

#: Bytes of the reason in a header; RabbitMQ refuses headers beyond its frame size.
_REASON_LIMIT = 2000


class DeadLetter(Struct, frozen=True, kw_only=True):
    """What is known about a dead letter: why it is dead, the queue it came from, and when (epoch milliseconds)."""

    reason: str
    origin: str
    at: int
    message: Message

    @property
    def next_step(self) -> str:
        """What to do about it, in a sentence."""
        if not self.origin:
            return "It does not say which queue it came from: publish it again by hand once the cause is mended."
        if "task" in self.message.headers:
            return (
                "It is a task: mend its worker. The attempt ends by itself, and its retry is a message of its own; "
                "requeue this one only if you want the attempt to be run after all."
            )
        return f"Mend the cause, then requeue it: it goes back to {self.origin}."


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
    broker_reason = str(headers.get(_BROKER_REASON) or "")
    return DeadLetter(
        reason=str(headers.get(_REASON) or _BROKER_REASONS.get(broker_reason, broker_reason) or "no reason is given"),
        origin=str(headers.get(_FROM) or headers.get(_BROKER_FROM) or ""),
        at=at if isinstance(at, int) else _time_of_death(headers.get(_BROKER_HISTORY)),
        message=message,
    )


def _time_of_death(history: Json) -> int:
    """Return the moment of the last entry that RabbitMQ made, 0 where there is none that can be read."""
    last = history[0] if isinstance(history, list | tuple) and history else None
    seconds = last.get("time") if isinstance(last, Mapping) else None
    return seconds * 1_000 if isinstance(seconds, int) else 0


def revive(message: Message) -> Message:
    """Return the original of a dead letter, for the queue it came from.

    Raises ``BadMessage`` when the letter does not say where it came from.
    """
    origin = read_dead(message).origin
    if not origin:
        raise BadMessage("The dead letter does not say which queue it came from: publish it again by hand.")
    headers = {name: value for name, value in message.headers.items() if name not in _NOT_SENT_AGAIN}
    return replace(message, queue=origin, exchange="", headers=headers)


def dead_json(identity: str, letter: DeadLetter, *, body_limit: int) -> dict[str, Json]:
    """Return a dead letter for people: the body as text, cut after ``body_limit`` characters."""
    text = letter.message.body.decode("utf-8", "backslashreplace")
    return {
        "id": identity,
        "reason": letter.reason,
        "from": letter.origin,
        "at": letter.at,
        "next": letter.next_step,
        "bytes": len(letter.message.body),
        "messageId": letter.message.message_id,
        "correlationId": letter.message.correlation_id,
        "body": text if len(text) <= body_limit else text[:body_limit] + "…",
    }
