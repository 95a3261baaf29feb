"""A message as any broker carries it: bytes with an address, and what comes back when one is delivered."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from engine.errors import BadMessage
from engine.model.payload import Json

#: Kinds of queue: they differ in how they are declared (``broker.topology``).
START_QUEUE = "baton.start"
DEAD_QUEUE = "baton.dead"
NOTICES_QUEUE = "baton.notices"
#: What EVENT tasks send to sinks of the kind ``conductor``, for event handlers; the header ``event`` says which sink.
SINK_QUEUE = "baton.sink"
STATUS_EXCHANGE = "baton.status"


#: Bytes of a message id; other transports than AMQP carry longer ones.
LONGEST_ID = 255


def events_queue(partition: int) -> str:
    """Return the name of the queue that carries everything about the workflows of one partition."""
    return f"baton.events.{partition}"


def is_engines_own(queue: str) -> bool:
    """Return whether a queue is for the engine's own messages or the broker's; no task may be sent there."""
    return queue.startswith(("baton.", "amq."))


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


#: How texts may be said to be written; what is said of JSON is of no consequence, as it is always UTF-8.
_ENCODINGS = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii", "binary"})


def expect_json(message: Message, subject: str) -> None:
    """Raise ``BadMessage``, without a look at the body, when a message says that it is something else than JSON.

    Nothing else is ever deserialised: pickle and YAML can run code, and a few compressed bytes can become gigabytes.
    A message that says nothing is taken for JSON.
    """
    kind = message.content_type.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise BadMessage(f"{subject} came as {message.content_type[:100]!r}: only 'application/json' is read")
    if message.headers.get("compression") or message.content_encoding.strip().lower() not in _ENCODINGS:
        how = message.headers.get("compression") or message.content_encoding
        raise BadMessage(f"{subject} came encoded as {str(how)[:100]!r}: only plain UTF-8 is read")


class Delivery(Struct, frozen=True, kw_only=True):
    """A message that the broker handed over and that is ours until acked or rejected."""

    message: Message
    #: The queue it was consumed from.
    queue: str
    redelivered: bool = False
    #: The broker's own handle; opaque to everybody else.
    receipt: object = None
