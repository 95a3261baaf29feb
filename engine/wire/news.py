"""News of runs: which of them a decider has just stored, for whoever waits for one or watches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from engine.errors import BadMessage
from engine.wire.message import STATUS_EXCHANGE, Delivery, Message, expect_json

#: The routing key on the status exchange.
NEWS_KEY: Final = "runs.changed"


class Changed(Struct, frozen=True, array_like=True):
    """A run as it is stored now; an array in the message, because one message tells of a whole batch."""

    workflow_id: str
    name: str
    #: Rises by one with each save.
    version: int
    #: A text: another version may have one that this one does not know.
    status: str
    #: Its status may be another one than before, or it is new, or its rows are deleted.
    moved: bool


class _News(Struct):
    """The body of the message."""

    runs: tuple[Changed, ...]


_decoder: Final = msgspec.json.Decoder(_News)


def encode_news(runs: Sequence[Changed]) -> Message:
    """Return the message that tells of these runs."""
    return Message(
        exchange=STATUS_EXCHANGE, queue=NEWS_KEY, body=msgspec.json.encode(_News(tuple(runs))), transient=True
    )


def decode_news(delivery: Delivery) -> tuple[Changed, ...]:
    """Return the runs that a message tells of; raise ``BadMessage`` when it is something else."""
    expect_json(delivery.message, "news of runs")
    try:
        return _decoder.decode(delivery.message.body).runs
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"News of runs cannot be read: {error}") from error
