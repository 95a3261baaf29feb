"""What every broker promises to the road."""

from __future__ import annotations

import threading
import time

import pytest

from engine.broker.port import Broker
from engine.broker.topology import REPLY_PREFIX
from engine.errors import BrokerUnavailable
from engine.wire.message import DEAD_QUEUE, START_QUEUE, Message, events_queue

from .conftest import Site
from .deliveries import NEVER, SOON, OpenBroker, eventually, numbered, receive, texts


def test_a_message_arrives_as_it_was_sent(broker: Broker, queue: str) -> None:
    message = Message(
        queue=queue,
        body='{"grüße": 1}'.encode(),
        headers={"task": "resize", "id": "t1", "retries": 0, "timelimit": [None, 2.5], "big": 2**40, "ok": True},
        message_id="m1",
        correlation_id="w1",
        reply_to=events_queue(3),
        priority=4,
    )

    broker.publish([message])
    broker.consume(queue, 10)
    [delivery] = receive(broker, 1)

    assert delivery.message == message
    assert delivery.queue == queue
    assert not delivery.redelivered


def test_an_acked_message_is_gone(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 1))
    broker.consume(queue, 10)

    broker.ack(receive(broker, 1))
    broker.reconnect()

    assert broker.receive(1, NEVER) == []


def test_a_rejected_message_comes_again(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 1))
    broker.consume(queue, 10)

    broker.reject(receive(broker, 1))

    [again] = receive(broker, 1)
    assert again.redelivered


def test_closing_returns_what_was_not_acked(open_broker: OpenBroker, queue: str) -> None:
    first, second = open_broker(), open_broker()
    first.publish(numbered(queue, 3))
    first.consume(queue, 10)
    deliveries = receive(first, 3)
    first.ack(deliveries[:1])

    first.close()
    second.consume(queue, 10)
    again = receive(second, 2)

    assert texts(again) == ["1", "2"]
    assert all(delivery.redelivered for delivery in again)


def test_urgent_messages_come_first_and_equals_in_order(broker: Broker, site: Site, queue: str) -> None:
    priorities = [0, 5, 9, 5, 0, 9]
    broker.publish([Message(queue=queue, body=f"{p}-{n}".encode(), priority=p) for n, p in enumerate(priorities)])

    broker.consume(queue, 100)

    came, urgent_first = texts(receive(broker, 6)), ["9-2", "9-5", "5-1", "5-3", "0-0", "0-4"]
    assert came == urgent_first if site.priorities else sorted(came) == sorted(urgent_first)


def test_a_thousand_messages_are_confirmed_at_once(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 1000))

    eventually(lambda: broker.ready(queue) == 1000)


def test_no_more_than_the_prefetch_is_unacked(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 10))
    broker.consume(queue, 3)
    first = receive(broker, 3)

    assert broker.receive(10, NEVER) == []

    broker.ack(first)
    assert texts(receive(broker, 3)) == ["3", "4", "5"]


def test_each_queue_has_its_own_prefetch(broker: Broker, queue: str) -> None:
    other = queue + "_other"
    broker.publish(numbered(queue, 5) + numbered(other, 5))
    broker.consume(queue, 1)
    broker.consume(other, 4)

    deliveries = receive(broker, 5)

    assert sorted(delivery.queue for delivery in deliveries) == [queue, *[other] * 4]
    assert broker.receive(10, NEVER) == []


def test_a_missing_task_queue_is_declared_with_such_priorities_as_there_are(
    broker: Broker, site: Site, queue: str
) -> None:
    assert broker.ready(queue) is None

    broker.publish([*numbered(queue, 2), Message(queue=queue, body=b"urgent", priority=9)])
    broker.consume(queue, 10)

    came = texts(receive(broker, 3))
    assert came == ["urgent", "0", "1"] if site.priorities else sorted(came) == ["0", "1", "urgent"]


@pytest.mark.parametrize("name", [START_QUEUE, DEAD_QUEUE, events_queue(7)])
def test_a_deleted_engine_queue_is_declared_by_the_next_publish(broker: Broker, site: Site, name: str) -> None:
    broker.publish(numbered(name, 1))
    site.delete_queue(name)

    broker.publish(numbered(name, 1))

    eventually(lambda: broker.ready(name) == 1)


def test_only_what_was_missing_is_published_again(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 1))
    missing = queue + "_missing"

    broker.publish([*numbered(queue, 3), *numbered(missing, 3)])

    eventually(lambda: (broker.ready(queue), broker.ready(missing)) == (4, 3))


def test_an_answer_without_a_reader_is_dropped(broker: Broker) -> None:
    gone = REPLY_PREFIX + "gone"

    broker.publish([Message(queue=gone, body=b"1"), Message(queue="somebodys", body=b"2", transient=True)])

    assert (broker.ready(gone), broker.ready("somebodys")) == (None, None)


def test_answers_reach_the_connection_that_asked(open_broker: OpenBroker) -> None:
    asking, deciding = open_broker(), open_broker()
    name = REPLY_PREFIX + "1"
    asking.declare_replies(name)
    asking.consume(name, 10)

    deciding.publish([Message(queue=name, body=b"granted", correlation_id="r1", transient=True)])

    [answer] = receive(asking, 1)
    assert answer.message.correlation_id == "r1"
    assert answer.message.transient


def test_a_reply_queue_vanishes_with_its_connection(open_broker: OpenBroker) -> None:
    asking, other = open_broker(), open_broker()
    name = REPLY_PREFIX + "2"
    asking.declare_replies(name)
    asking.consume(name, 10)

    asking.close()

    eventually(lambda: other.ready(name) is None)


def test_a_queue_deleted_under_its_consumers_is_consumed_on_by_each(
    open_broker: OpenBroker, site: Site, queue: str
) -> None:
    publishing, *consuming = open_broker(), open_broker(), open_broker()
    publishing.publish(numbered(queue, 2))
    for broker in consuming:
        broker.consume(queue, 1)
    for broker, deliveries in [(broker, receive(broker, 1)) for broker in consuming]:
        broker.ack(deliveries)
    site.delete_queue(queue)

    publishing.publish(numbered(queue, 2))

    assert sorted(text for broker in consuming for text in texts(receive(broker, 1))) == ["0", "1"]


def test_one_consumer_owns_an_events_queue_until_it_goes(open_broker: OpenBroker) -> None:
    first, second = open_broker(), open_broker()
    events = events_queue(0)
    first.declare_partitions(1)
    first.consume(events, 10)
    second.consume(events, 10)
    first.publish(numbered(events, 3))
    assert texts(receive(first, 3)) == ["0", "1", "2"]
    assert second.receive(10, NEVER) == []

    first.close()

    assert texts(receive(second, 3)) == ["0", "1", "2"]


def test_a_partition_without_a_consumer_is_told_from_others_where_the_broker_can(open_broker: OpenBroker) -> None:
    watching, consuming = open_broker(), open_broker()
    watching.declare_partitions(1)
    nobody = watching.consumers(events_queue(0))
    consuming.consume(events_queue(0), 10)
    if nobody is None:
        return

    assert nobody == 0
    assert watching.consumers(events_queue(0)) == 1
    assert watching.consumers(events_queue(77)) is None

    consuming.close()

    eventually(lambda: watching.consumers(events_queue(0)) == 0)


def test_who_takes_tasks_is_counted_where_the_broker_can(open_broker: OpenBroker) -> None:
    watching, worker = open_broker(), open_broker()
    worker.consume("blue:resize", 1)
    served = watching.consumers("blue:resize")
    if served is None:
        return

    assert served == 1
    assert not watching.consumers("green:resize")

    worker.close()

    eventually(lambda: watching.consumers("blue:resize") == 0)


def test_cancelling_leaves_the_rest_to_others(open_broker: OpenBroker) -> None:
    first, second = open_broker(), open_broker()
    events = events_queue(0)
    first.declare_partitions(1)
    first.publish(numbered(events, 5))
    first.consume(events, 5)
    received = receive(first, 2)

    first.cancel(events)
    second.consume(events, 10)

    assert sorted(texts(receive(second, 3))) == ["2", "3", "4"]
    first.ack(received)
    first.close()
    assert second.receive(10, NEVER) == []


def test_a_broken_connection_is_reported_and_reconnecting_loses_nothing(
    open_broker: OpenBroker, site: Site, queue: str
) -> None:
    broker = open_broker()
    broker.declare_replies(REPLY_PREFIX + "3")
    broker.consume(REPLY_PREFIX + "3", 10)
    broker.publish(numbered(queue, 3))
    broker.consume(queue, 10)
    old = receive(broker, 3)
    broker.ack(old[:1])
    broker.ready(queue)

    site.break_connections()
    with pytest.raises(BrokerUnavailable):
        broker.receive(10, SOON)
    with pytest.raises(BrokerUnavailable):
        broker.ack(old)
    broker.reconnect()

    again = receive(broker, 2)
    assert texts(again) == ["1", "2"]
    broker.ack(old)
    broker.reconnect()
    assert texts(receive(broker, 2)) == ["1", "2"]
    broker.publish([Message(queue=REPLY_PREFIX + "3", body=b"answer", transient=True)])
    assert texts(receive(broker, 1)) == ["answer"]


def test_publishing_over_a_broken_connection_is_reported(broker: Broker, site: Site, queue: str) -> None:
    broker.publish(numbered(queue, 1))
    site.break_connections()

    with pytest.raises(BrokerUnavailable):
        broker.publish(numbered(queue, 1))

    broker.reconnect()
    broker.publish(numbered(queue, 1))


def test_interrupt_ends_a_waiting_receive(broker: Broker, queue: str) -> None:
    broker.consume(queue, 10)
    waiting = threading.Timer(0.1, broker.interrupt)
    started = time.monotonic()
    waiting.start()

    assert broker.receive(10, SOON) == []

    assert time.monotonic() - started < SOON / 2


def test_an_interrupt_before_the_receive_is_not_lost(broker: Broker, queue: str) -> None:
    broker.consume(queue, 10)
    broker.interrupt()
    started = time.monotonic()

    assert broker.receive(10, SOON) == []

    assert time.monotonic() - started < SOON / 2


def test_acking_never_acks_what_was_not_passed(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 10))
    broker.consume(queue, 10)
    deliveries = receive(broker, 8)

    broker.ack([deliveries[7], deliveries[0], deliveries[1], deliveries[4]])
    broker.ack(deliveries[:1])
    broker.reconnect()

    assert sorted(texts(receive(broker, 6))) == ["2", "3", "5", "6", "8", "9"]


def test_batches_are_what_has_arrived(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 5))
    broker.consume(queue, 10)
    first = receive(broker, 1)

    rest = receive(broker, 4)

    assert texts(first + rest) == ["0", "1", "2", "3", "4"]


def test_a_consumer_with_nothing_to_do_waits_as_long_as_it_was_told(broker: Broker, queue: str) -> None:
    broker.consume(queue, 10)
    started = time.monotonic()

    assert broker.receive(10, 0.2) == []

    assert time.monotonic() - started >= 0.2


def test_a_closed_connection_says_so(broker: Broker, queue: str) -> None:
    broker.publish(numbered(queue, 1))
    broker.close()

    with pytest.raises(BrokerUnavailable, match="closed"):
        broker.publish(numbered(queue, 1))


def test_many_threads_share_a_task_queue_and_nothing_is_lost(open_broker: OpenBroker, queue: str) -> None:
    count, crew = 2000, 4
    seen: list[str] = []
    done = threading.Event()

    def work(broker: Broker) -> None:
        broker.consume(queue, 20)
        while not done.is_set():
            deliveries = broker.receive(10, 0.1)
            broker.ack(deliveries)
            seen.extend(texts(deliveries))
            if len(seen) >= count:
                done.set()

    first, *others = numbered(queue, count)
    publishing = open_broker()
    # A quorum queue that several declare at the same time may refuse what comes before it has elected its leader.
    publishing.publish([first])
    workers = [threading.Thread(target=work, args=(open_broker(),)) for _ in range(crew)]
    for worker in workers:
        worker.start()
    publishing.publish(others)

    assert done.wait(SOON)
    for worker in workers:
        worker.join(SOON)
    assert sorted(map(int, seen)) == list(range(count))
