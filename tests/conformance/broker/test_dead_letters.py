"""Dead letters can be looked at without harm, and one can be taken out."""

from __future__ import annotations

from engine.broker.port import Broker
from engine.wire.message import DEAD_QUEUE, Message

from .deliveries import eventually, numbered, texts


def test_peeking_leaves_dead_letters_where_they_are(broker: Broker) -> None:
    broker.publish(numbered(DEAD_QUEUE, 5))

    for _ in range(30):
        assert texts(broker.peek(DEAD_QUEUE, 3)) == ["0", "1", "2"]

    assert texts(broker.peek(DEAD_QUEUE, 100)) == ["0", "1", "2", "3", "4"]
    eventually(lambda: broker.ready(DEAD_QUEUE) == 5)


def test_peeking_into_a_missing_queue_shows_nothing(broker: Broker) -> None:
    assert broker.peek("nowhere", 10) == []
    assert broker.take("nowhere", "m1") is None


def test_one_dead_letter_is_taken_by_its_id(broker: Broker, queue: str) -> None:
    letters = [Message(queue=DEAD_QUEUE, body=f"{n}".encode(), message_id=f"m{n}") for n in range(5)]
    broker.publish(letters)

    taken = broker.take(DEAD_QUEUE, "m2")

    assert taken is not None
    assert taken.message.message_id == "m2"
    assert broker.take(DEAD_QUEUE, "m9") is None
    broker.ack([taken])
    eventually(lambda: broker.ready(DEAD_QUEUE) == 4)
    assert sorted(texts(broker.peek(DEAD_QUEUE, 10))) == ["0", "1", "3", "4"]


def test_a_dead_letter_that_was_not_acked_stays(broker: Broker) -> None:
    broker.publish([Message(queue=DEAD_QUEUE, body=b"1", message_id="m1")])
    taken = broker.take(DEAD_QUEUE, "m1")
    assert taken is not None

    broker.reject([taken])

    eventually(lambda: broker.ready(DEAD_QUEUE) == 1)
