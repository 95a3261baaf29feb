"""What we write as AMQP is what pika, and we ourselves, read."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame

from engine.broker.amqp_encoding import joined, publish_frames, read_message
from engine.wire.message import Message

FRAME_SIZE = 4096

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=4,
)
messages = st.builds(
    Message,
    queue=st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), min_size=1, max_size=60),
    body=st.binary(max_size=3 * FRAME_SIZE),
    exchange=st.sampled_from(["", "baton.status"]),
    # No more than a frame holds, whatever the characters.
    headers=st.dictionaries(st.text(max_size=10), values, max_size=3),
    message_id=st.none() | st.text(max_size=60),
    correlation_id=st.none() | st.text(max_size=60),
    reply_to=st.none() | st.text(max_size=60),
    priority=st.integers(0, 9),
    transient=st.booleans(),
)


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """Return the kind and payload of each frame, as the specification lays them out."""
    found = []
    while data:
        kind, channel, size = struct.unpack_from(">BHI", data)
        assert channel == 1
        assert size + 8 <= FRAME_SIZE
        assert data[7 + size] == 0xCE
        found.append((kind, data[7 : 7 + size]))
        data = data[8 + size :]
    return found


@given(messages)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    data = b"".join(joined(publish_frames(message, 1, FRAME_SIZE)))

    (_, _), (kind, content), *bodies = frames(data)
    _, _, body_size = struct.unpack_from(">HHQ", content)
    body = b"".join(payload for _, payload in bodies)

    assert kind == 2
    assert body_size == len(body)
    assert read_message(message.queue, message.exchange, content[12:], body) == message


def test_pika_reads_what_we_write() -> None:
    message = Message(queue="resize", body=b"{}", headers={"id": "t1", "retries": 0, "eta": None}, message_id="m1")
    data = b"".join(publish_frames(message, 1, FRAME_SIZE))

    size, method = frame.decode_frame(data)
    more, header = frame.decode_frame(data[size:])
    _, body = frame.decode_frame(data[size + more :])

    assert (method.method.exchange, method.method.routing_key, method.method.mandatory) == ("", "resize", True)
    assert header.properties.headers == {"id": "t1", "retries": 0, "eta": None}
    assert (header.properties.delivery_mode, header.properties.message_id) == (2, "m1")
    assert body.fragment == b"{}"


@given(st.binary(max_size=80))
def test_reading_a_strangers_properties_never_raises(properties: bytes) -> None:
    assert read_message("q", "", properties, b"body").body == b"body"


@given(st.lists(st.binary(min_size=1, max_size=40_000), max_size=12))
def test_joining_changes_no_byte(pieces: list[bytes]) -> None:
    assert b"".join(joined(pieces)) == b"".join(pieces)


def test_what_amqp_cannot_express_is_refused() -> None:
    with pytest.raises(ValueError, match="headers take"):
        publish_frames(Message(queue="q", body=b"", headers={"a": "x" * FRAME_SIZE}), 1, FRAME_SIZE)
