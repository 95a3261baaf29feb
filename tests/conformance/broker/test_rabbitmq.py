"""What only a real RabbitMQ can do to us: refuse, cancel, limit and send odd things."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import kombu
import kombu.pidbox
import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from engine.broker.port import Unsendable
from engine.broker.rabbitmq import RabbitBroker, connection_parameters
from engine.broker.topology import TaskQueueType
from engine.broker.topology import queue as declared
from engine.errors import BadConfiguration, BrokerUnavailable
from engine.wire.celery_control import CONTROL_EXCHANGE, encode_revoke
from engine.wire.message import DEAD_QUEUE, START_QUEUE, STATUS_EXCHANGE, Message, events_queue


@pytest.fixture
def broker(rabbitmq_url: str) -> Iterator[RabbitBroker]:
    broker = RabbitBroker(rabbitmq_url)
    yield broker
    broker.close()


@contextmanager
def stranger(url: str) -> Iterator[BlockingChannel]:
    """Give the channel of somebody else's program."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        yield connection.channel()


class RawProperties(pika.BasicProperties):
    """Properties that no client library would write."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self._raw = raw

    def encode(self) -> list[bytes]:
        return [self._raw]


def header(kind: bytes, value: bytes) -> bytes:
    """Return the properties of a message with the single header ``odd``."""
    table = b"\x03odd" + kind + value
    return struct.pack(">HI", 1 << 13, len(table)) + table


def test_a_message_beyond_the_brokers_limit_is_named_and_the_others_are_sent(broker: RabbitBroker) -> None:
    too_large = Message(queue="resize", body=bytes(130 * 1024 * 1024))
    fine = [Message(queue="other", body=b"1"), Message(queue="other", body=b"2")]

    with pytest.raises(Unsendable, match=r"'resize': its 136314880 bytes are more than the 134217728") as raised:
        broker.publish([fine[0], too_large, fine[1]])

    assert [message.queue for message, _ in raised.value.faults] == ["resize"]
    broker.publish(fine)
    broker.consume("other", 10)
    received: set[bytes] = set()
    while len(received) < 2:
        received |= {delivery.message.body for delivery in broker.receive(10, 60)}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message(queue="q", body=b"", headers={"long": "x" * 200_000}), "headers take"),
        (Message(queue="q", body=b"", headers={"odd": object()}), "a header holds a object"),
        (Message(queue="q", body=b"", headers={"big": 2**70}), "does not fit into 64 bits"),
        (Message(queue="ü" * 200, body=b""), "longer than the 255 bytes"),
        (Message(queue="", body=b""), "names no queue"),
        (Message(queue="amq.reserved", body=b""), "cannot be declared"),
        (Message(exchange="nowhere", queue="q", body=b""), "there is no exchange 'nowhere'"),
        (Message(queue="a\nb", body=b"x"), "line break"),
        (Message(queue="a\r", body=b"x"), "line break"),
    ],
    ids=lambda value: repr(value) if isinstance(value, str) else "",
)
def test_a_message_that_can_never_be_sent_is_named(broker: RabbitBroker, message: Message, reason: str) -> None:
    with pytest.raises(Unsendable, match=reason):
        broker.publish([Message(queue="fine", body=b"1"), message])

    broker.consume("fine", 10)
    assert broker.receive(1, 60)


def test_a_refusal_of_the_broker_is_reported(broker: RabbitBroker, rabbitmq_url: str) -> None:
    with stranger(rabbitmq_url) as channel:
        channel.queue_declare("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})

    with pytest.raises(BrokerUnavailable, match=r"refused.*'full': 2"):
        broker.publish([Message(queue="full", body=b"1") for _ in range(3)])

    broker.publish([Message(queue="free", body=b"1")])


def test_a_message_of_many_frames_arrives_whole(broker: RabbitBroker) -> None:
    body = bytes(range(256)) * 4000
    broker.publish([Message(queue="large", body=body), Message(queue="large", body=b"")])
    broker.consume("large", 1)

    [large] = broker.receive(1, 60)
    broker.ack([large])
    [empty] = broker.receive(1, 60)

    assert large.message.body == body
    assert empty.message.body == b""


@pytest.mark.parametrize(
    "properties",
    [
        header(b"T", struct.pack(">Q", 2**63)),
        header(b"d", struct.pack(">d", 0.5)),
        header(b"S", struct.pack(">I", 2) + b"\xff\xfe"),
        header(b"D", struct.pack(">Bi", 2, 314)),
        struct.pack(">H", 1 << 10) + b"\x02\xff\xfe",
    ],
    ids=["a date beyond all calendars", "a fraction", "bytes for text", "a decimal", "bytes for a correlation id"],
)
def test_a_strangers_odd_properties_stop_nobody(broker: RabbitBroker, rabbitmq_url: str, properties: bytes) -> None:
    broker.ready(START_QUEUE)
    with stranger(rabbitmq_url) as channel:
        channel.basic_publish("", START_QUEUE, b"odd", RawProperties(properties))
        channel.basic_publish("", START_QUEUE, b"next")
    broker.consume(START_QUEUE, 10)

    bodies: list[bytes] = []
    while len(bodies) < 2:
        bodies += [delivery.message.body for delivery in broker.receive(10, 60)]

    assert bodies == [b"odd", b"next"]


def test_a_message_without_properties_counts_as_json(broker: RabbitBroker, rabbitmq_url: str) -> None:
    broker.ready(START_QUEUE)
    with stranger(rabbitmq_url) as channel:
        channel.basic_publish("", START_QUEUE, b"{}")
    broker.consume(START_QUEUE, 10)

    [delivery] = broker.receive(1, 60)

    assert delivery.message == Message(queue=START_QUEUE, body=b"{}", transient=True)


def test_celery_declares_the_same_task_queue(broker: RabbitBroker, rabbitmq_url: str) -> None:
    broker.publish([Message(queue="resize", body=b"1")])

    with kombu.Connection(rabbitmq_url) as connection:
        kombu.Queue("resize", max_priority=10, durable=True)(connection.channel()).declare()


def test_a_task_queue_that_others_declared_is_used_as_it_is(broker: RabbitBroker, rabbitmq_url: str) -> None:
    with stranger(rabbitmq_url) as channel:
        channel.queue_declare("theirs", durable=True)

    broker.publish([Message(queue="theirs", body=b"1")])
    broker.consume("theirs", 10)

    assert broker.receive(1, 60)


def test_task_queues_can_be_replicated_instead_of_ordered(rabbitmq_url: str) -> None:
    broker = RabbitBroker(rabbitmq_url, task_queues=TaskQueueType.QUORUM)
    broker.publish([Message(queue="resize", body=b"1")])
    broker.close()

    with stranger(rabbitmq_url) as channel:
        channel.queue_declare("resize", durable=True, arguments={"x-queue-type": "quorum"})


def test_an_engine_queue_of_another_kind_is_a_wrong_setting(rabbitmq_url: str) -> None:
    with stranger(rabbitmq_url) as channel:
        channel.queue_declare(START_QUEUE, durable=True)

    with pytest.raises(BadConfiguration, match=START_QUEUE):
        RabbitBroker(rabbitmq_url).reconnect()


def test_the_connection_lives_while_its_owner_computes(rabbitmq_url: str) -> None:
    heartbeat_seconds = 2
    broker = RabbitBroker(f"{rabbitmq_url}?heartbeat={heartbeat_seconds}")
    broker.publish([Message(queue="resize", body=b"1")])
    until = time.monotonic() + 4 * heartbeat_seconds

    while time.monotonic() < until:
        sum(range(10_000))

    assert broker.ready("resize") == 1
    broker.close()


def test_the_next_server_is_tried_when_one_is_gone(rabbitmq_url: str) -> None:
    broker = RabbitBroker(f"amqp://guest:guest@127.0.0.1:1//;{rabbitmq_url}")

    broker.publish([Message(queue="resize", body=b"1")])

    broker.close()


def test_a_server_that_is_not_there_is_reported_without_the_password() -> None:
    broker = RabbitBroker("amqp://guest:secret@127.0.0.1:1//")

    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 cannot be reached") as raised:
        broker.ready("resize")

    assert "secret" not in str(raised.value)


def test_a_wrong_password_is_reported(rabbitmq_url: str) -> None:
    user, _, rest = rabbitmq_url.partition("@")
    broker = RabbitBroker(f"{user}wrong@{rest}")

    with pytest.raises(BrokerUnavailable, match="ACCESS_REFUSED"):
        broker.ready("resize")


@pytest.mark.parametrize("path", ["", "/", "//", "/%2F"])
def test_an_empty_path_is_the_virtual_host_of_that_name(path: str) -> None:
    assert connection_parameters(f"pyamqp://guest:guest@localhost:5672{path}").virtual_host == "/"


def test_no_engine_queue_ever_drops_what_was_returned_often(broker: RabbitBroker) -> None:
    for name in (START_QUEUE, DEAD_QUEUE, events_queue(0)):
        assert declared(name).arguments["x-delivery-limit"] > 1_000_000
    broker.publish([Message(queue=events_queue(0), body=b"1")])
    broker.consume(events_queue(0), 1)

    for _ in range(50):
        [delivery] = broker.receive(1, 60)
        broker.reject([delivery])

    assert broker.receive(1, 60)


@pytest.mark.parametrize("exchange", [STATUS_EXCHANGE, CONTROL_EXCHANGE])
def test_an_exchange_that_was_deleted_is_declared_again(broker: RabbitBroker, rabbitmq_url: str, exchange: str) -> None:
    broker.reconnect()
    with stranger(rabbitmq_url) as channel:
        channel.exchange_delete(exchange)

        broker.publish([Message(queue="resize", body=b"1"), Message(exchange=exchange, queue="", body=b"2")])

        channel.exchange_declare(exchange, passive=True)
    assert broker.ready("resize") == 1


def test_celery_and_the_engine_declare_the_control_exchange_alike(broker: RabbitBroker, rabbitmq_url: str) -> None:
    mailbox = kombu.pidbox.Mailbox("celery", type="fanout").exchange
    broker.reconnect()
    with kombu.Connection(rabbitmq_url) as celery:
        mailbox(celery.default_channel).declare()
        with stranger(rabbitmq_url) as channel:
            channel.exchange_delete(CONTROL_EXCHANGE)
        mailbox(celery.default_channel).declare()
    broker.reconnect()
    broker.publish([encode_revoke("run.1")])


def test_a_control_exchange_that_somebody_declared_in_another_way_is_used_as_it_is(
    broker: RabbitBroker, rabbitmq_url: str
) -> None:
    with stranger(rabbitmq_url) as channel:
        channel.exchange_declare(CONTROL_EXCHANGE, exchange_type="fanout", auto_delete=False, durable=True)
        channel.queue_declare("ear")
        channel.queue_bind("ear", CONTROL_EXCHANGE)

        broker.publish([encode_revoke("run.1")])

        assert channel.queue_declare("ear", passive=True).method.message_count == 1
