"""The word that a date has been written which is nearer than the timekeepers may look by themselves."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from engine.clock import Instant
from engine.errors import BadMessage
from engine.wire.message import STATUS_EXCHANGE, Delivery, Message, expect_json

#: The routing key on the status exchange.
NEARER_KEY: Final = "dates.nearer"


class _Nearer(Struct):
    """The body of the message."""

    at: Instant


_decoder: Final = msgspec.json.Decoder(_Nearer)


def encode_nearer(at: Instant) -> Message:
    """Return the message that asks timekeepers to look at this moment; one that is lost costs a late look."""
    return Message(exchange=STATUS_EXCHANGE, queue=NEARER_KEY, body=msgspec.json.encode(_Nearer(at=at)), transient=True)


def decode_nearer(delivery: Delivery) -> Instant:
    """Return the moment that a message names; raise ``BadMessage`` when it is something else."""
    expect_json(delivery.message, "a nearer date")
    try:
        return _decoder.decode(delivery.message.body).at
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"A nearer date cannot be read: {error}") from error
