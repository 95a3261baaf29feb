"""A message as any broker carries it: bytes with an address, and what comes back when one is delivered."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from engine.model.payload import Json

#: Kinds of queue: they differ in how they are declared (``broker.topology``).
START_QUEUE = "baton.start"
DEAD_QUEUE = "baton.dead"
STATUS_EXCHANGE = "baton.status"


def events_queue(partition: int) -> str:
    """Return the name of the queue that carries everything about the workflows of one partition."""
    return f"baton.events.{partition}"


class Message(Struct, frozen=True, kw_only=True):
    """Bytes with an address.

    Sent to ``queue`` through the default exchange, or to ``exchange`` with ``queue`` as the routing key. Messages are
    persistent unless ``transient``. ``priority`` is 0 to 9.
    """

    queue: str
    body: bytes
    exchange: str = ""
    headers: Mapping[str, Json] = {}
    content_type: str = "application/json"
    content_encoding: str = "utf-8"
    message_id: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    priority: int = 0
    transient: bool = False


class Delivery(Struct, frozen=True, kw_only=True):
    """A message that the broker handed over and that is ours until acked or rejected."""

    message: Message
    #: The queue it was consumed from.
    queue: str
    redelivered: bool = False
    #: The broker's own handle; opaque to everybody else.
    receipt: object = None
