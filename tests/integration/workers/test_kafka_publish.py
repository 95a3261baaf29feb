"""KAFKA_PUBLISH against a cluster that speaks Kafka's protocol: the one that its client library brings for tests."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from engine.config import LOOPBACK, Settings
from engine.outgoing import network
from workers import TaskFailure
from workers.tasks import kafka_publish
from workers.tasks.kafka_publish import run


@pytest.fixture(autouse=True)
def _loopback_is_allowed() -> Iterator[None]:
    before = list(network._chosen)
    network.use(network.rules_of(Settings(outgoing_loopback_networks=LOOPBACK)))
    yield
    network._chosen[:] = before


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    """The address of a cluster of one broker; it lives as long as the client that keeps it."""
    keeper = Producer({"test.mock.num.brokers": "1"})
    (broker,) = keeper.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    keeper.flush(1)


def publish(servers: str, **request: Any) -> dict[str, Any]:
    return run(None, kafka_request={"bootStrapServers": servers, **request})


def stored(servers: str, output: dict[str, Any]) -> Message:
    """Return the message that stands where a task's output says."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "readers"})
    consumer.assign([TopicPartition(output["topic"], output["partition"], output["offset"])])
    try:
        message = consumer.poll(30)
        assert message is not None, f"nothing stands at {output}"
        assert message.error() is None
        return message
    finally:
        consumer.close()


def test_the_value_is_stored_as_json_and_the_output_says_where(kafka: str) -> None:
    output = publish(kafka, topic="orders", value={"id": 7, "who": "Zoë"}, key="k", headers={"origin": "shop", "n": 1})
    message = stored(kafka, output)
    assert message.value() == '{"id": 7, "who": "Zoë"}'.encode()
    assert message.key() == b"k"
    assert message.headers() == [("origin", b"shop"), ("n", b"1")]


@pytest.mark.parametrize(
    ("serializer", "key", "written"),
    [
        ("org.apache.kafka.common.serialization.LongSerializer", 7, struct.pack(">q", 7)),
        ("org.apache.kafka.common.serialization.IntegerSerializer", "7", struct.pack(">i", 7)),
        ("org.apache.kafka.common.serialization.StringSerializer", 7, b"7"),
        (None, "Zoë", "Zoë".encode()),
    ],
)
def test_the_key_is_written_as_java_would(kafka: str, serializer: str | None, key: Any, written: bytes) -> None:
    topic = f"keys-{serializer}-{key}".replace("ë", "e")
    output = publish(kafka, topic=topic, value=None, key=key, keySerializer=serializer)
    assert stored(kafka, output).key() == written


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        ({"topic": "t", "value": 1, "bootStrapServers": None}, "needs 'bootStrapServers'"),
        ({"value": 1}, "needs 'topic'"),
        ({"topic": "t"}, "needs a 'value'"),
        ({"topic": "t", "value": 1, "key": "x", "keySerializer": "a.LongSerializer"}, "cannot be written"),
        ({"topic": "t", "value": 1, "key": 1, "keySerializer": "a.AvroSerializer"}, "Unknown keySerializer"),
        ({"topic": "t", "value": 1, "headers": "h"}, "'headers'"),
        ({"topic": "t", "value": 1, "maxBlockMs": "long"}, "milliseconds"),
    ],
)
def test_what_cannot_be_sent_fails_the_task_with_the_reason(kafka: str, request_: dict[str, Any], fault: str) -> None:
    with pytest.raises(TaskFailure) as caught:
        publish(**{"servers": kafka, **request_})
    assert fault in caught.value.reason


def test_a_cluster_that_is_not_there_fails_the_task_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_publish, "_LEAST_SECONDS", 1.0)
    with pytest.raises(TaskFailure, match="did not store the message for topic t"):
        publish("127.0.0.1:1", topic="t", value=1, requestTimeoutMs=100)


def test_without_a_request_it_says_what_is_missing() -> None:
    with pytest.raises(TaskFailure, match="kafka_request"):
        run(None, kafka_request=None)


def test_a_server_on_an_address_that_may_not_be_called_is_refused() -> None:
    with pytest.raises(TaskFailure, match=r"169\.254\.169\.254 is never called"):
        publish("169.254.169.254:9092", topic="t", value=1)
