"""What only a Redis can do to us, and what kombu's workers and anybody's clients expect there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kombu
import pytest
import redis

from deploy.endpoint import ServerMissing
from deploy.private_redis import PrivateRedis
from engine.broker.port import Unsendable
from engine.broker.redis import RedisBroker
from engine.broker.redis_session import BEAT_SECONDS, LEASE_SECONDS
from engine.broker.topology import MARKER_QUEUE, REPLY_PREFIX
from engine.errors import BadConfiguration, BrokerUnavailable
from engine.wire.message import START_QUEUE, Message, events_queue
from tests.pace import within

from .deliveries import NEVER, SOON, numbered, receive, texts

#: Takes what is there and holds it, says so, and does no more.
HOLDER = """
import sys, threading
from engine.broker.opening import open_broker
broker = open_broker(sys.argv[1])
broker.declare_replies(sys.argv[3])
broker.consume(sys.argv[2], 10)
print(len(broker.receive(10, 20)), flush=True)
threading.Event().wait()
"""


@pytest.fixture
def broker(redis_url: str) -> Iterator[RedisBroker]:
    broker = RedisBroker(redis_url)
    yield broker
    broker.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def private(tmp_path: Path) -> Iterator[PrivateRedis]:
    """Return a Redis that may be filled, wiped and restarted; it is not started yet."""
    private = PrivateRedis(tmp_path / "redis")
    yield private
    private.stop()


def started(private: PrivateRedis) -> str:
    try:
        return private.start()
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@contextmanager
def opened(url: str) -> Iterator[RedisBroker]:
    broker = RedisBroker(url)
    try:
        yield broker
    finally:
        broker.close()


def test_what_a_killed_process_held_goes_to_others_soon_and_its_replies_vanish(
    broker: RedisBroker, redis_url: str
) -> None:
    events, replies = events_queue(0), REPLY_PREFIX + "theirs"
    broker.publish(numbered(events, 3))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, redis_url, events, replies], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "3\n"
    broker.publish([Message(queue=replies, body=b"granted", transient=True)])
    broker.consume(events, 10)
    assert broker.receive(10, NEVER) == []

    with within(LEASE_SECONDS + 2 * BEAT_SECONDS):
        holder.kill()
        holder.communicate()
        again = receive(broker, 3)

    assert texts(again) == ["0", "1", "2"]
    assert all(delivery.redelivered for delivery in again)
    assert broker.ready(replies) is None


def test_a_process_that_was_taken_for_dead_has_to_reconnect(redis_url: str, client: redis.Redis) -> None:
    with opened(redis_url) as frozen, opened(redis_url) as other:
        frozen.publish(numbered("resize", 1))
        frozen.consume("resize", 1)
        late = receive(frozen, 1)
        # Nothing is heard of it for longer than its lease.
        client.delete(*client.keys("baton:connection:*"))
        other.consume("resize", 1)
        assert texts(receive(other, 1)) == ["0"]

        with pytest.raises(BrokerUnavailable, match="does not know"):
            frozen.receive(1, SOON)
        frozen.reconnect()
        frozen.ack(late)

        assert frozen.receive(1, NEVER) == []


def test_kombu_reads_what_we_publish(broker: RedisBroker, redis_url: str) -> None:
    message = Message(
        queue="resize",
        body=b'[[], {"width": 1}, {}]',
        headers={"task": "resize", "id": "t1"},
        message_id="t1",
        correlation_id="w1",
        reply_to=events_queue(3),
        priority=9,
    )
    broker.publish([Message(queue="resize", body=b"[]"), message])
    found: list[Any] = []

    with kombu.Connection(redis_url) as connection:
        queue = kombu.Queue("resize", max_priority=10)
        with connection.Consumer([queue], on_message=found.append, no_ack=True):
            while len(found) < 2:
                connection.drain_events(timeout=SOON)

    assert (found[0].body, found[0].headers) == (message.body, message.headers)
    assert found[0].properties["correlation_id"] == "w1"
    assert found[0].properties["reply_to"] == events_queue(3)
    assert found[0].content_type == "application/json"


def test_we_read_what_kombu_publishes(broker: RedisBroker, redis_url: str) -> None:
    with kombu.Connection(redis_url) as connection:
        connection.Producer().publish(
            {"name": "hello"}, routing_key=START_QUEUE, message_id="m1", headers={"by": "kombu"}, reply_to="theirs"
        )
    broker.consume(START_QUEUE, 1)

    [delivery] = receive(broker, 1)

    message = delivery.message
    assert (message.body, message.message_id, message.reply_to) == (b'{"name": "hello"}', "m1", "theirs")
    assert (message.headers["by"], message.content_type, message.queue) == ("kombu", "application/json", START_QUEUE)


@pytest.mark.parametrize("body", [b'{"name": "hello"}', b"{}", b"not JSON \xff", b'{"body": 1}', b"[1]", b""])
def test_a_bare_body_pushed_by_anybody_is_a_message_and_comes_back_as_it_was(
    broker: RedisBroker, client: redis.Redis, body: bytes
) -> None:
    client.lpush(START_QUEUE, body)
    broker.consume(START_QUEUE, 1)

    first = receive(broker, 1)
    assert first[0].message == Message(queue=START_QUEUE, body=body)

    broker.reject(first)
    [again] = receive(broker, 1)
    assert again.message.body == body or body.startswith(b'{"body"')


@pytest.mark.parametrize(
    "payload",
    [
        b'{"body": 5, "properties": {}}',
        b'{"body": "%", "properties": {"body_encoding": "base64"}}',
        b'{"body": "x", "properties": []}',
        b'{"body": "e30=", "headers": 7, "content-type": 1, "properties": {"body_encoding": "base64", "priority": "x",'
        b' "delivery_info": 3, "reply_to": {}}}',
    ],
)
def test_an_odd_envelope_stops_nobody(broker: RedisBroker, client: redis.Redis, payload: bytes) -> None:
    client.lpush(START_QUEUE, payload, b"next")
    broker.consume(START_QUEUE, 2)

    assert texts(receive(broker, 2))[1] == "next"


def test_an_answer_reaches_a_kombu_client_that_waits_for_it(broker: RedisBroker, redis_url: str) -> None:
    # kombu leaves no trace of the queues that it declares.
    found: list[Any] = []
    name = REPLY_PREFIX + "kombus"
    with kombu.Connection(redis_url) as connection:
        mailbox = kombu.Queue(name, exclusive=True, auto_delete=True)
        with connection.Consumer([mailbox], on_message=found.append, no_ack=True):
            broker.publish([Message(queue=name, body=b"granted", transient=True)])
            connection.drain_events(timeout=SOON)

    assert found[0].body == b"granted"


def test_an_answer_that_nobody_reads_vanishes_after_a_minute(broker: RedisBroker, client: redis.Redis) -> None:
    broker.publish([Message(queue="somebodys", body=b"1", transient=True)])
    assert 0 < client.ttl("somebodys") <= 60

    # One who declares the queue in time gets it.
    broker.consume("somebodys", 1)

    assert client.ttl("somebodys") == -1
    assert texts(receive(broker, 1)) == ["1"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message(queue="q", body=b"", headers={"odd": object()}), "cannot be written as JSON"),
        (Message(queue="taken", body=b""), "something else under this name"),
        (Message(queue="", body=b""), "names no queue"),
        (Message(exchange="nowhere", queue="q", body=b""), "there is no exchange 'nowhere'"),
    ],
    ids=["headers", "taken", "nameless", "exchange"],
)
def test_a_message_that_can_never_be_sent_is_named(
    broker: RedisBroker, client: redis.Redis, message: Message, reason: str
) -> None:
    client.set("taken\x06\x169", "by somebody")

    with pytest.raises(Unsendable, match=reason):
        broker.publish([Message(queue="fine", body=b"1"), message])

    broker.consume("fine", 10)
    assert texts(receive(broker, 1)) == ["1"]


def test_a_full_redis_refuses_but_what_it_holds_can_be_fetched_and_acked(private: PrivateRedis) -> None:
    with opened(started(private)) as broker, opened(broker._url) as late:
        broker.publish(numbered("resize", 3))
        with redis.Redis.from_url(broker._url) as client:
            client.config_set("maxmemory", 1)

            with pytest.raises(BrokerUnavailable, match="maxmemory"):
                broker.publish(numbered("resize", 1))
            broker.reconnect()
            late.consume("resize", 10)
            late.ack(receive(late, 2))
            broker.consume("resize", 10)
            broker.ack(receive(broker, 1))

            client.config_set("maxmemory", 0)
        assert broker.ready("resize") == 0


def test_a_redis_that_has_lost_its_data_is_noticed_and_used_on(private: PrivateRedis) -> None:
    with opened(started(private)) as broker:
        broker.publish(numbered(MARKER_QUEUE, 1))
        broker.consume("resize", 10)
        with redis.Redis.from_url(broker._url) as client:
            client.flushall()

        with pytest.raises(BrokerUnavailable, match="does not know"):
            broker.receive(1, SOON)
        broker.reconnect()

        assert broker.ready(MARKER_QUEUE) is None
        broker.publish(numbered("resize", 1))
        assert texts(receive(broker, 1)) == ["0"]


@pytest.mark.parametrize(("logging", "kept"), [("yes", True), ("no", False)])
def test_a_restart_is_a_loss_of_data_unless_every_command_is_logged(
    private: PrivateRedis, monkeypatch: pytest.MonkeyPatch, logging: str, kept: bool
) -> None:
    monkeypatch.setattr("deploy.private_redis.SETTINGS", {"bind": "127.0.0.1", "appendonly": logging})
    with opened(started(private)) as broker:
        broker.publish(numbered(MARKER_QUEUE, 1))
        with redis.Redis.from_url(broker._url) as client:
            # Without the log this snapshot is what comes back: the marker is in it, later messages may not be.
            client.save()
    private.stop()

    with opened(started(private)) as broker:
        assert bool(broker.ready(MARKER_QUEUE)) is kept


def test_a_server_that_is_not_there_is_reported_without_the_password() -> None:
    broker = RedisBroker("redis://:secret@127.0.0.1:1/0")

    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1") as raised:
        broker.ready("resize")

    assert "secret" not in str(raised.value)


def test_a_wrong_password_is_reported(private: PrivateRedis) -> None:
    before, _, server = started(private).rpartition("@")
    broker = RedisBroker(f"{before}wrong@{server}")

    with pytest.raises(BrokerUnavailable, match="password"):
        broker.ready("resize")


@pytest.mark.parametrize("url", ["redis://a:1/0;redis://b:2/0", "redis://127.0.0.1:1/0?visibility_timeout=5"])
def test_a_url_that_cannot_be_read_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(BadConfiguration, match="Redis"):
        RedisBroker(url).ready("resize")


def test_no_more_bytes_are_taken_at_once_than_there_is_room_for(redis_url: str) -> None:
    broker = RedisBroker(redis_url, most_bytes=1_000)
    broker.publish([Message(queue="large", body=bytes(5_000)), *numbered("large", 10)])
    broker.consume("large", 100)

    assert [len(broker.receive(100, SOON)) for _ in range(2)] == [1, 4]
    broker.close()


def test_a_busy_queue_does_not_starve_another(broker: RedisBroker) -> None:
    broker.publish([*numbered("busy", 100), *numbered("quiet", 1)])
    broker.consume("busy", 100)
    broker.consume("quiet", 100)

    came = [receive(broker, 1)[0].queue for _ in range(4)]

    assert "quiet" in came
