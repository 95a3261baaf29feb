"""Messages as AMQP 0-9-1 frames, and a delivered message's properties read back.

pika's own encoder spends three quarters of a publish on the headers of a Celery message, knows no fractions, and its
decoder raises on a stranger's odd timestamp, which would end the connection again and again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise

from engine.model.payload import Json
from engine.wire.message import Message

_FRAME_METHOD, _FRAME_HEADER, _FRAME_BODY, _FRAME_END = 1, 2, 3, b"\xce"
_BASIC_CLASS, _PUBLISH_METHOD, _ACK_METHOD = 60, 40, 80
#: Bytes of an ack's frame between its start and its end.
_ACK_SIZE = 13

#: Bytes that a frame needs around its payload.
FRAME_OVERHEAD = 8

#: Bytes. Small messages are written together up to this size: fewer system calls, and no long copies on partial writes.
_WRITE_SIZE = 65_536

_PERSISTENT, _TRANSIENT = 2, 1
_MANDATORY = 1

_frame_start = struct.Struct(">BHI").pack
_ack = struct.Struct(">BHIHHQ?").pack
_long = struct.Struct(">I")
_content_start = struct.Struct(">HHQH").pack
_publish_start = struct.pack(">HHH", _BASIC_CLASS, _PUBLISH_METHOD, 0)

# Property flags, in the order in which the properties follow.
_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS, _DELIVERY_MODE, _PRIORITY = 1 << 15, 1 << 14, 1 << 13, 1 << 12, 1 << 11
_CORRELATION_ID, _REPLY_TO, _EXPIRATION, _MESSAGE_ID = 1 << 10, 1 << 9, 1 << 8, 1 << 7
_ALWAYS = _CONTENT_TYPE | _CONTENT_ENCODING | _HEADERS | _DELIVERY_MODE | _PRIORITY


def publish_frames(message: Message, channel: int, frame_size: int) -> list[bytes]:
    """Return the frames that publish ``message`` on ``channel``, in pieces to be written one after another.

    ``frame_size`` is the largest frame that the broker accepts, in bytes. Raises ``ValueError`` with the reason when
    AMQP cannot express the message.
    """
    if not (message.queue or message.exchange):
        raise ValueError("it names no queue")
    if "\n" in message.queue or "\r" in message.queue:
        # RabbitMQ leaves line breaks out when it declares a queue, and so never finds the one that was meant.
        raise ValueError(f"the name {message.queue[:60]!r} has a line break, which no queue's name can have")
    method = _publish_start + _short(message.exchange) + _short(message.queue)
    method += bytes((0 if message.exchange else _MANDATORY,))
    properties = _properties(message)
    if len(properties) + FRAME_OVERHEAD > frame_size:
        raise ValueError(f"its headers take {len(properties)} bytes, and the broker takes {frame_size}")
    body = message.body
    start = _frame(_FRAME_METHOD, channel, method) + _frame(_FRAME_HEADER, channel, properties)
    step = frame_size - FRAME_OVERHEAD
    if len(body) <= step:
        return [start + _frame(_FRAME_BODY, channel, body)] if body else [start]
    edges = [*range(0, len(body), step), len(body)]
    return [start, *(_frame(_FRAME_BODY, channel, body[begin:end]) for begin, end in pairwise(edges))]


def ack_frame(channel: int, tag: int, multiple: bool) -> bytes:
    """Return the frame that acks a delivery on ``channel``, with ``multiple`` also all before it."""
    return _ack(_FRAME_METHOD, channel, _ACK_SIZE, _BASIC_CLASS, _ACK_METHOD, tag, multiple) + _FRAME_END


def joined(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in fewer pieces."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _WRITE_SIZE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return _frame_start(kind, channel, len(payload)) + payload + _FRAME_END


def _properties(message: Message) -> bytes:
    """Return the payload of the content header."""
    flags = _ALWAYS
    table = _table(message.headers)
    pieces = [
        _known_short(message.content_type),
        _known_short(message.content_encoding),
        table,
        bytes((_TRANSIENT if message.transient else _PERSISTENT, min(max(message.priority, 0), 9))),
    ]
    if message.correlation_id is not None:
        flags |= _CORRELATION_ID
        pieces.append(_short(message.correlation_id))
    if message.reply_to is not None:
        flags |= _REPLY_TO
        pieces.append(_known_short(message.reply_to))
    if message.message_id is not None:
        flags |= _MESSAGE_ID
        pieces.append(_short(message.message_id))
    return _content_start(_BASIC_CLASS, 0, len(message.body), flags) + b"".join(pieces)


def _short(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 255:
        raise ValueError(f"{text[:60]!r}… is longer than the 255 bytes of an AMQP name")
    return bytes((len(raw),)) + raw


_known_short = lru_cache(maxsize=1024)(_short)


def _table(headers: Mapping[str, Json]) -> bytes:
    pieces = []
    for key, value in headers.items():
        pieces.append(_known_short(key))
        pieces.append(_value(value))
    content = b"".join(pieces)
    return _long.pack(len(content)) + content


def _value(value: Json) -> bytes:
    encode = _ENCODERS.get(type(value))
    if encode is not None:
        return encode(value)
    # Anything else is refused, but subclasses (a string enumeration, a mapping of somebody's own) are not odd.
    for kind, encode in _ENCODERS.items():
        if isinstance(value, kind):
            return encode(value)
    if isinstance(value, Mapping):
        return b"F" + _table(value)
    raise ValueError(f"a header holds a {type(value).__name__}, which AMQP cannot carry")


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"S" + _long.pack(len(raw)) + raw


def _array(value: Sequence[Json]) -> bytes:
    content = b"".join(map(_value, value))
    return b"A" + _long.pack(len(content)) + content


def _integer(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return struct.pack(">ci", b"I", value)
    if -(2**63) <= value < 2**63:
        return struct.pack(">cq", b"l", value)
    raise ValueError(f"a header holds the number {value}, which does not fit into 64 bits")


#: How each kind of header is written; ``bool`` stands before ``int``, which it is a kind of.
_ENCODERS: dict[type, Callable[[Json], bytes]] = {
    str: _text,
    bool: lambda value: b"t\x01" if value else b"t\x00",
    int: _integer,
    float: lambda value: struct.pack(">cd", b"d", value),
    type(None): lambda _: b"V",
    list: _array,
    tuple: _array,
    dict: lambda value: b"F" + _table(value),
}


def read_message(queue: str, exchange: str, properties: bytes, body: bytes) -> Message:
    """Return a delivered message; ``properties`` is the content header from its flags on.

    Never raises: what cannot be read in a stranger's properties is left out, and the message is judged by the rest.
    """
    found: dict[str, Json] = {}
    with suppress(struct.error, IndexError, ValueError, RecursionError):
        _read_properties(properties, found)
    return Message(queue=queue, exchange=exchange, body=body, **found)


def _read_properties(data: bytes, found: dict[str, Json]) -> None:
    flags, at = data[0] << 8 | data[1], 2
    found["transient"] = True
    for flag, name, read in _PROPERTIES:
        if flags & flag:
            value, at = read(data, at)
            if name:
                found[name] = value


def _read_octet(data: bytes, at: int) -> tuple[int, int]:
    return data[at], at + 1


def _read_transient(data: bytes, at: int) -> tuple[bool, int]:
    return data[at] != _PERSISTENT, at + 1


def _read_short(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    return data[at + 1 : end].decode("utf-8", "replace"), end


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + _long.unpack_from(data, at)[0]
    return data[at + 4 : end].decode("utf-8", "replace"), end


def _read_table(data: bytes, at: int) -> tuple[dict[str, Json], int]:
    end = at + 4 + _long.unpack_from(data, at)[0]
    at += 4
    fields = {}
    while at < end:
        key, at = _read_short(data, at)
        fields[key], at = _read_value(data, at)
    return fields, end


def _read_array(data: bytes, at: int) -> tuple[list[Json], int]:
    end = at + 4 + _long.unpack_from(data, at)[0]
    at += 4
    values = []
    while at < end:
        value, at = _read_value(data, at)
        values.append(value)
    return values, end


def _read_decimal(data: bytes, at: int) -> tuple[float, int]:
    scale, digits = struct.unpack_from(">Bi", data, at)
    return digits / 10**scale, at + 5


def _read_value(data: bytes, at: int) -> tuple[Json, int]:
    kind = data[at]
    at += 1
    read = _READERS.get(kind)
    if read is not None:
        return read(data, at)
    fixed = _FIXED.get(kind)
    if fixed is None:
        raise ValueError(f"a header of the unknown kind {chr(kind)!r}")
    return fixed.unpack_from(data, at)[0], at + fixed.size


#: The properties in their order, each with the field of a message that it becomes.
_PROPERTIES: tuple[tuple[int, str, Callable[[bytes, int], tuple[Json, int]]], ...] = (
    (_CONTENT_TYPE, "content_type", _read_short),
    (_CONTENT_ENCODING, "content_encoding", _read_short),
    (_HEADERS, "headers", _read_table),
    (_DELIVERY_MODE, "transient", _read_transient),
    (_PRIORITY, "priority", _read_octet),
    (_CORRELATION_ID, "correlation_id", _read_short),
    (_REPLY_TO, "reply_to", _read_short),
    (_EXPIRATION, "", _read_short),
    (_MESSAGE_ID, "message_id", _read_short),
)

_READERS: dict[int, Callable[[bytes, int], tuple[Json, int]]] = {
    ord("S"): _read_text,
    ord("x"): _read_text,
    ord("F"): _read_table,
    ord("A"): _read_array,
    ord("D"): _read_decimal,
    ord("V"): lambda _, at: (None, at),
}

#: Header fields of fixed size. Timestamps stay seconds since 1970: a date would fail beyond the year 9999.
_FIXED = {
    ord(code): struct.Struct(">" + form)
    for code, form in {
        "t": "?", "b": "b", "B": "B", "U": "h", "s": "h", "u": "H", "I": "i", "i": "I", "L": "q", "l": "q",
        "f": "f", "d": "d", "T": "Q",
    }.items()
}  # fmt: skip
