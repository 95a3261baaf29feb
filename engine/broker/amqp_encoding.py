"""Messages as AMQP 0-9-1 frames, and a delivered message's properties read back.

pika's own encoder spends three quarters of a publish on the headers of a Celery message, knows no fractions, and its
decoder raises on a stranger's odd timestamp, which would end the connection again and again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise

from engine.model.payload import Json
from engine.wire.message import Message

_FRAME_METHOD, _FRAME_HEADER, _FRAME_BODY, _FRAME_END = 1, 2, 3, b"\xce"
_BASIC_CLASS, _PUBLISH_METHOD = 60, 40

#: Bytes that a frame needs around its payload.
FRAME_OVERHEAD = 8

#: Bytes. Small messages are written together up to this size: fewer system calls, and no long copies on partial writes.
_WRITE_SIZE = 65_536

_PERSISTENT, _TRANSIENT = 2, 1
_MANDATORY = 1

_frame_start = struct.Struct(">BHI").pack
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
        pieces.append(_text(value) if type(value) is str else _value(value))
    content = b"".join(pieces)
    return _long.pack(len(content)) + content


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"S" + _long.pack(len(raw)) + raw


def _value(value: Json) -> bytes:
    match value:
        case None:
            return b"V"
        case bool():
            return b"t\x01" if value else b"t\x00"
        case str():
            return _text(value)
        case int():
            return _integer(value)
        case float():
            return struct.pack(">cd", b"d", value)
        case list() | tuple():
            content = b"".join(map(_value, value))
            return b"A" + _long.pack(len(content)) + content
        case Mapping():
            return b"F" + _table(value)
        case _:
            raise ValueError(f"a header holds a {type(value).__name__}, which AMQP cannot carry")


def _integer(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return struct.pack(">ci", b"I", value)
    if -(2**63) <= value < 2**63:
        return struct.pack(">cq", b"l", value)
    raise ValueError(f"a header holds the number {value}, which does not fit into 64 bits")


def read_message(queue: str, exchange: str, properties: bytes, body: bytes) -> Message:
    """Return a delivered message; ``properties`` is the content header from its flags on.

    Never raises: what cannot be read in a stranger's properties is left out, and the message is judged by the rest.
    """
    reader = _Reader(properties)
    found: dict[str, Json] = {}
    with suppress(struct.error, IndexError, ValueError, RecursionError):
        _read_properties(reader, found)
    return Message(queue=queue, exchange=exchange, body=body, **found)


def _read_properties(reader: _Reader, found: dict[str, Json]) -> None:
    flags = reader.unpack(">H")
    if flags & _CONTENT_TYPE:
        found["content_type"] = reader.short()
    if flags & _CONTENT_ENCODING:
        found["content_encoding"] = reader.short()
    if flags & _HEADERS:
        found["headers"] = reader.table()
    found["transient"] = not (flags & _DELIVERY_MODE and reader.unpack("B") == _PERSISTENT)
    if flags & _PRIORITY:
        found["priority"] = reader.unpack("B")
    if flags & _CORRELATION_ID:
        found["correlation_id"] = reader.short()
    if flags & _REPLY_TO:
        found["reply_to"] = reader.short()
    if flags & _EXPIRATION:
        reader.short()
    if flags & _MESSAGE_ID:
        found["message_id"] = reader.short()


#: Header fields of fixed size. Timestamps stay seconds since 1970: a date would fail beyond the year 9999.
_FIXED = {
    code: struct.Struct(">" + form)
    for code, form in {
        "t": "?", "b": "b", "B": "B", "U": "h", "s": "h", "u": "H", "I": "i", "i": "I", "L": "q", "l": "q",
        "f": "f", "d": "d", "T": "Q",
    }.items()
}  # fmt: skip


class _Reader:
    """Takes values from the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise ValueError("the properties end too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def unpack(self, form: str) -> int:
        value: int = struct.unpack(form, self._take(struct.calcsize(form)))[0]
        return value

    def short(self) -> str:
        return self._take(self._take(1)[0]).decode("utf-8", "replace")

    def _sized(self) -> bytes:
        return self._take(_long.unpack(self._take(4))[0])

    def table(self) -> dict[str, Json]:
        fields: dict[str, Json] = {}
        content = _Reader(self._sized())
        while content._at < len(content._data):
            key = content.short()
            fields[key] = content._value()
        return fields

    def _array(self) -> list[Json]:
        values = []
        content = _Reader(self._sized())
        while content._at < len(content._data):
            values.append(content._value())
        return values

    def _value(self) -> Json:
        kind = chr(self._take(1)[0])
        if kind in ("S", "x"):
            return self._sized().decode("utf-8", "replace")
        if kind == "V":
            return None
        if kind == "F":
            return self.table()
        if kind == "A":
            return self._array()
        if kind == "D":
            scale, digits = struct.unpack(">Bi", self._take(5))
            return digits / 10**scale
        fixed = _FIXED.get(kind)
        if fixed is None:
            raise ValueError(f"a header of the unknown kind {kind!r}")
        return fixed.unpack(self._take(fixed.size))[0]
