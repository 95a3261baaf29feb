"""Dead letters keep the original and the reason."""

import pytest

from engine.clock import Instant
from engine.errors import BadMessage
from engine.wire.dead_letter import bury, dead_json, read_dead, revive
from engine.wire.message import DEAD_QUEUE, Delivery, Message

ORIGINAL = Message(
    queue="baton.start", body=b'{"x": \xff', headers={"baton": "start"}, message_id="m1", priority=3, reply_to="r"
)


def test_a_buried_message_comes_back_as_it_was():
    letter = bury(Delivery(message=ORIGINAL, queue="baton.start"), "it is not JSON", Instant(5_000_000))

    assert letter.queue == DEAD_QUEUE
    assert revive(letter) == ORIGINAL


def test_it_says_why_whence_and_when():
    letter = bury(Delivery(message=ORIGINAL, queue="baton.start"), "r" * 9000, Instant(5_000_000))

    known = read_dead(letter)

    assert (len(known.reason), known.origin, known.at) == (2000, "baton.start", 5000)
    shown = dead_json("m1", known, body_limit=4)
    assert shown["body"] == '{"x"…'
    assert shown["bytes"] == 7


def test_a_strangers_letter_can_be_read_but_not_sent_back():
    stranger = Message(queue=DEAD_QUEUE, body=b"?", headers={"at": "noon"})

    assert read_dead(stranger).at == 0
    with pytest.raises(BadMessage, match="which queue"):
        revive(stranger)


def test_what_a_policy_of_the_broker_has_dead_lettered_is_sent_back_to_its_first_queue():
    headers = {"x-first-death-queue": "resize", "x-first-death-reason": "rejected", "task": "resize"}
    letter = Message(queue=DEAD_QUEUE, body=b"{}", headers=headers)

    known = read_dead(letter)

    assert (known.reason, known.origin) == ("rejected", "resize")
    assert revive(letter).queue == "resize"
