"""Deliveries and confirms read straight from a connection's bytes: a busy road is sent hardly anything else.

pika makes an object of each frame, three for a message, and looks for callbacks of each. What it is spared here is what
stands whole in the bytes at hand; all else is left to it, also a delivery of which a part is still to come.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

_FRAME_METHOD, _FRAME_HEADER, _FRAME_BODY, _FRAME_END = 1, 2, 3, 0xCE

#: Class and method of what is read here.
_DELIVER, _ACK, _NACK = b"\x00\x3c\x00\x3c", b"\x00\x3c\x00\x50", b"\x00\x3c\x00\x78"

_frame: Final = struct.Struct(">BHI").unpack_from
_tag_and_bits: Final = struct.Struct(">QB").unpack_from
#: A content header as far as the properties: its frame, class, weight, and the size of the body.
_header: Final = struct.Struct(">BHIHHQ").unpack_from

#: Bytes before a frame's payload, and with the one behind it.
_START, _AROUND = 7, 8
#: Bytes of a method's payload before its arguments.
_NUMBERS = 4
#: Bytes of a content header before the properties.
_FIXED = 12
_TAG_AND_BITS = 9


class Arrival(NamedTuple):
    """A delivered message as it came; its properties are still to be read."""

    consumer: str
    tag: int
    redelivered: bool
    exchange: str
    routing_key: str
    properties: bytes
    body: bytes


class Taker(Protocol):
    """Takes what is delivered on one channel."""

    def wants(self, consumer: str) -> bool:
        """Return whether this consumer is one whose deliveries are to be taken here."""
        ...

    def take(self, arrivals: Sequence[Arrival]) -> None:
        """Take messages that were delivered."""
        ...


#: Told of a confirm: its number, whether it is for all before it too, and whether the broker has taken the message.
Confirmed: TypeAlias = Callable[[int, bool, bool], None]


class ShortWay:
    """Who takes what on which channel; used by the connection's thread, as are those who take."""

    def __init__(self) -> None:
        self.takers: dict[int, Taker] = {}
        self.confirmed: dict[int, Confirmed] = {}

    def forget(self, channel: int) -> None:
        """Take nothing more on a channel that is closed, before its number is another one's."""
        self.takers.pop(channel, None)
        self.confirmed.pop(channel, None)

    def take(self, data: bytes) -> int:
        """Hand over what stands at the beginning of ``data``, one after the other; return how many bytes that was."""
        at = 0
        arrivals: dict[int, list[Arrival]] = {}
        while len(data) - at > _START + _NUMBERS:
            kind, channel, size = _frame(data, at)
            end = at + size + _AROUND
            if kind != _FRAME_METHOD or end > len(data) or data[end - 1] != _FRAME_END:
                break
            method = data[at + _START : at + _START + _NUMBERS]
            if method == _DELIVER and channel in self.takers:
                found = _read(data, at, end)
                if found is None or not self.takers[channel].wants(found[0].consumer):
                    break
                arrivals.setdefault(channel, []).append(found[0])
                end = found[1]
            elif method in (_ACK, _NACK) and channel in self.confirmed:
                tag, bits = _tag_and_bits(data, at + _START + _NUMBERS)
                self.confirmed[channel](tag, bool(bits & 1), method == _ACK)
            else:
                break
            at = end
        for channel, taken in arrivals.items():
            self.takers[channel].take(taken)
        return at


def _read(data: bytes, at: int, end: int) -> tuple[Arrival, int] | None:
    """Return the delivery whose method is from ``at`` to ``end``, and where its body ends; None if it is not whole."""
    if len(data) < end + _START + _FIXED:
        return None
    channel = _frame(data, at)[1]
    kind, headers_channel, size, _, _, body_size = _header(data, end)
    body_at = end + size + _AROUND
    behind = body_at + body_size + _AROUND if body_size else body_at
    if (kind, headers_channel) != (_FRAME_HEADER, channel) or len(data) < behind:
        return None
    if body_size and _frame(data, body_at) != (_FRAME_BODY, channel, body_size):
        # In several frames, or with another channel's frame between.
        return None
    if data[body_at - 1] != _FRAME_END or data[behind - 1] != _FRAME_END:
        return None
    consumer, after = _short(data, at + _START + _NUMBERS)
    tag, redelivered = _tag_and_bits(data, after)
    exchange, after = _short(data, after + _TAG_AND_BITS)
    routing_key, _ = _short(data, after)
    properties = data[end + _START + _FIXED : body_at - 1]
    body = data[body_at + _START : behind - 1] if body_size else b""
    return Arrival(consumer, tag, bool(redelivered), exchange, routing_key, properties, body), behind


def _short(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    return data[at + 1 : end].decode("utf-8", "replace"), end
