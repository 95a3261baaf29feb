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

    assert (known.reason, known.origin) == ("rejected: whoever had it refused it for good", "resize")
    assert revive(letter).queue == "resize"


def test_a_task_that_was_handed_out_too_often_says_so_and_when_and_brings_no_count_along():
    headers = {
        "task": "resize",
        "id": "run.1",
        "x-delivery-count": 20,
        "x-first-death-queue": "resize",
        "x-first-death-reason": "delivery_limit",
        "x-first-death-exchange": "",
        "x-death": [{"reason": "delivery_limit", "queue": "resize", "count": 1, "time": 1_700_000_000}],
    }
    letter = Message(queue=DEAD_QUEUE, body=b"{}", headers=headers)

    known = read_dead(letter)

    assert known.reason.startswith("delivery_limit: it was handed out more often than its queue allows")
    assert known.at == 1_700_000_000_000
    assert "mend its worker" in known.next_step
    assert revive(letter).headers == {"task": "resize", "id": "run.1"}


@pytest.mark.parametrize("history", [None, [], ["odd"], [{"time": "noon"}], {"time": 1}])
def test_an_odd_history_of_deaths_tells_no_time(history):
    headers = {"x-first-death-reason": "melted", "x-death": history}
    known = read_dead(Message(queue=DEAD_QUEUE, body=b"{}", headers=headers))
    assert (known.reason, known.at) == ("melted", 0)


def test_each_letter_says_what_to_do_next():
    ours = read_dead(bury(Delivery(message=ORIGINAL, queue="baton.start"), "odd", Instant(5_000_000)))
    assert (
        dead_json("m1", ours, body_limit=4)["next"] == "Mend the cause, then requeue it: it goes back to baton.start."
    )
    assert "by hand" in read_dead(Message(queue=DEAD_QUEUE, body=b"?")).next_step
