"""Where events come from and go to: ``amqp_queue:orders``, ``amqp_exchange:shop?routingKey=new.#`` (Conductor 7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from engine.errors import BadMessage

#: The kinds that need no connection of their own: what EVENT tasks announce, and the engine's own broker.
CONDUCTOR: Final = "conductor"
AMQP_QUEUE: Final = "amqp_queue"
AMQP_EXCHANGE: Final = "amqp_exchange"

#: The kind of an event that names no place: nothing is heard there, but Conductor's clients register handlers of it.
NOWHERE: Final = ""

#: What makes an exchange of a name on a named AMQP connection.
_OF_EXCHANGES: Final = frozenset({"exchangeType", "routingKey", "bindQueueName"})


class EventAddress(Struct, frozen=True):
    """``kind:name?option=value``; a kind is one of the above, or the name of a connection."""

    kind: str
    name: str
    options: Mapping[str, str]

    @property
    def identity(self) -> str:
        """Tells two addresses apart: one queue is read once, however the options of those who name it differ."""
        bound = sorted(f"{key}={value}" for key, value in self.options.items() if key in _OF_EXCHANGES)
        place = f"{self.kind}:{self.name}" if self.kind != NOWHERE else self.name
        return place + (f"?{'&'.join(bound)}" if bound else "")

    @property
    def is_exchange(self) -> bool:
        """True where messages come through an exchange."""
        return self.kind == AMQP_EXCHANGE or bool(_OF_EXCHANGES & self.options.keys())


def read_address(event: str) -> EventAddress:
    """Read an address; raise ``BadMessage`` with the reason when it is none."""
    kind, colon, rest = event.partition(":")
    if not colon or not kind or not rest.strip():
        raise BadMessage(f"Illegal event {event[:200]}: write it as type:name, for example amqp_queue:orders")
    if kind == CONDUCTOR:
        return EventAddress(kind, rest, {})
    name, _, query = rest.partition("?")
    if not name.strip():
        raise BadMessage(f"Illegal event {event[:200]}: the name behind {kind}: is missing")
    return EventAddress(kind, name, dict(parse_qsl(query, keep_blank_values=True)))


def read_listened(event: str) -> EventAddress:
    """Read what a handler listens to, which may name no place; raise ``BadMessage`` when it is half an address."""
    return read_address(event) if ":" in event else EventAddress(NOWHERE, event, {})
