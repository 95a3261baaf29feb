"""What waits in a queue can be taken at once, without waiting for more."""

from __future__ import annotations

from engine.broker.port import Broker
from engine.wire.message import Message

from .conftest import Site
from .deliveries import OpenBroker, eventually, numbered, receive, texts


def test_no_more_is_fetched_than_is_wanted_and_others_get_the_rest(open_broker: OpenBroker, queue: str) -> None:
    first, second = open_broker(), open_broker()
    first.publish(numbered(queue, 5))

    fetched = first.fetch(queue, 2)

    assert texts(fetched) == ["0", "1"]
    assert not any(delivery.redelivered for delivery in fetched)
    second.consume(queue, 10)
    assert texts(receive(second, 3)) == ["2", "3", "4"]


def test_fetching_does_not_wait_and_a_missing_queue_is_empty(broker: Broker, queue: str) -> None:
    assert broker.fetch(queue, 3) == []
    broker.publish(numbered(queue, 1))

    assert texts(broker.fetch(queue, 3)) == ["0"]
    assert broker.fetch(queue, 3) == []


def test_urgent_messages_are_fetched_first(broker: Broker, site: Site, queue: str) -> None:
    broker.publish([Message(queue=queue, body=f"{p}".encode(), priority=p) for p in (0, 9, 5)])

    assert texts(broker.fetch(queue, 3)) == (["9", "5", "0"] if site.priorities else ["0", "9", "5"])


def test_what_was_fetched_is_acked_or_comes_again(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 2))
    done, wanted = broker.fetch(queue, 2)

    broker.ack([done])
    broker.reject([wanted])

    eventually(lambda: broker.ready(queue) == 1)
    [again] = broker.fetch(queue, 2)
    assert (again.message.body, again.redelivered) == (wanted.message.body, True)


def test_what_was_fetched_comes_again_when_the_line_is_lost(open_broker: OpenBroker, queue: str) -> None:
    first, second = open_broker(), open_broker()
    first.publish(numbered(queue, 1))
    first.fetch(queue, 1)

    first.close()

    second.consume(queue, 1)
    [again] = receive(second, 1)
    assert again.redelivered


def test_looking_into_a_missing_queue_lets_go_of_nothing(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 2))
    (held,) = broker.fetch(queue, 1)

    assert broker.fetch(f"{queue}_missing", 1) == []

    assert texts(broker.fetch(queue, 2)) == ["1"]
    broker.ack([held])
    assert broker.fetch(queue, 2) == []


def test_many_are_fetched_as_well_as_few(open_broker: OpenBroker, queue: str) -> None:
    first, second = open_broker(), open_broker()
    first.publish(numbered(queue, 60))

    fetched = first.fetch(queue, 40)
    while len(fetched) < 40:
        fetched += first.fetch(queue, 40 - len(fetched))

    assert texts(fetched) == [str(number) for number in range(40)]
    second.consume(queue, 60)
    rest = receive(second, 20)
    assert texts(rest) == [str(number) for number in range(40, 60)]
    second.ack(rest)
    first.ack(fetched)
    assert first.fetch(queue, 40) == []
