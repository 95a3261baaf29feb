"""What is read straight from a connection's bytes is what pika would have read, wherever the bytes are cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec

from engine.broker.amqp_encoding import ack_frame
from engine.broker.short_way import Arrival, ShortWay

CHANNEL, OTHER = 1, 2


class Notes:
    """Takes what is delivered to the consumer ``mine``."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []

    def wants(self, consumer: str) -> bool:
        return consumer == "mine"

    def take(self, arrivals: Sequence[Arrival]) -> None:
        self.arrivals += arrivals


def delivered(tag: int, body: bytes, *, consumer: str = "mine", channel: int = CHANNEL, most: int = 1_000) -> bytes:
    """Return the frames of a delivery as pika writes them, bodies in pieces of so many bytes at most."""
    deliver = spec.Basic.Deliver(consumer, tag, redelivered=tag % 2 == 0, exchange="", routing_key="baton.events.0")
    properties = spec.BasicProperties(content_type="application/json", correlation_id=f"run-{tag}")
    pieces = [body[at : at + most] for at in range(0, len(body), most)]
    frames = [
        frame.Method(channel, deliver),
        frame.Header(channel, len(body), properties),
        *(frame.Body(channel, piece) for piece in pieces),
    ]
    return b"".join(each.marshal() for each in frames)


def confirm(tag: int, *, multiple: bool = False, taken: bool = True) -> bytes:
    method = spec.Basic.Ack(tag, multiple) if taken else spec.Basic.Nack(tag, multiple)
    marshalled: bytes = frame.Method(CHANNEL, method).marshal()
    return marshalled


def way() -> tuple[ShortWay, Notes, list[tuple[int, bool, bool]]]:
    short, notes = ShortWay(), Notes()
    confirms: list[tuple[int, bool, bool]] = []
    short.takers[CHANNEL] = notes
    short.confirmed[CHANNEL] = lambda *answer: confirms.append(answer)
    return short, notes, confirms


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4), st.data())
def test_messages_are_taken_as_far_as_they_are_whole(bodies: list[bytes], data: st.DataObject) -> None:
    messages = [delivered(tag, body) for tag, body in enumerate(bodies, 1)]
    stream = b"".join(messages)
    cut = data.draw(st.integers(0, len(stream)))
    whole = next(n for n in range(len(messages), -1, -1) if len(b"".join(messages[:n])) <= cut)
    short, notes, _ = way()

    assert short.take(stream[:cut]) == len(b"".join(messages[:whole]))
    assert [(each.tag, each.redelivered, each.body) for each in notes.arrivals] == [
        (tag, tag % 2 == 0, body) for tag, body in enumerate(bodies[:whole], 1)
    ]


def test_a_message_comes_with_its_address_and_its_properties() -> None:
    short, notes, _ = way()
    short.take(delivered(7, b"{}"))

    (arrival,) = notes.arrivals
    assert (arrival.consumer, arrival.exchange, arrival.routing_key) == ("mine", "", "baton.events.0")
    properties = spec.BasicProperties()
    properties.decode(arrival.properties)
    assert properties.correlation_id == "run-7"


def test_confirms_are_told_one_by_one() -> None:
    short, _, confirms = way()
    stream = confirm(1) + confirm(5, multiple=True) + confirm(6, taken=False)

    assert short.take(stream) == len(stream)
    assert confirms == [(1, False, True), (5, True, True), (6, False, False)]


@pytest.mark.parametrize(
    "stranger",
    [
        delivered(2, b"x", channel=OTHER),
        delivered(2, b"x", consumer="cancelled"),
        delivered(2, b"in several frames", most=5),
        frame.Heartbeat().marshal(),
        frame.Method(CHANNEL, spec.Channel.Close(404, "gone", 0, 0)).marshal(),
        delivered(2, b"x")[:-1] + b"?",
    ],
    ids=["another channel", "no consumer", "a large body", "a heartbeat", "another method", "a broken frame"],
)
def test_everything_else_is_left_to_pika_and_nothing_overtakes_it(stranger: bytes) -> None:
    short, notes, _ = way()
    before = delivered(1, b"before")

    assert short.take(before + stranger + delivered(3, b"behind")) == len(before)
    assert [each.tag for each in notes.arrivals] == [1]


def test_a_closed_channel_takes_nothing_more() -> None:
    short, notes, confirms = way()
    short.forget(CHANNEL)

    assert short.take(delivered(1, b"")) == short.take(confirm(1)) == 0
    assert not notes.arrivals
    assert not confirms


@pytest.mark.parametrize("multiple", [True, False])
def test_an_ack_is_written_as_pika_writes_it(multiple: bool) -> None:
    assert ack_frame(3, 2**40, multiple) == frame.Method(3, spec.Basic.Ack(2**40, multiple)).marshal()
