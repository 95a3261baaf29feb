"""KAFKA_PUBLISH: publishes a message to Kafka and waits until it is stored there (Conductor 3.20)."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from engine.model.payload import Json, JsonObject
from engine.outgoing.network import rules
from workers.failure import TaskFailure, TerminalError

if TYPE_CHECKING:
    from confluent_kafka import Message, Producer

#: Seconds within which a message has to be stored, unless the request allows more. Conductor's default of 0.6 is too
#: short for the first message over a new connection.
_LEAST_SECONDS: Final = 10.0

#: Seconds; a longer wait would come near to the limit after which a worker's process is killed.
_MOST_SECONDS: Final = 240.0

#: Producers, each with its connections, that a process keeps (Conductor's number).
_PRODUCERS: Final = 10

#: Seconds between two looks for the answer.
_POLL_SECONDS: Final = 0.1

#: Java's names of how a key is written, by their last part.
_KEYS: Final[Mapping[str, Callable[[Json], bytes]]] = {
    "StringSerializer": lambda key: str(key).encode(),
    "LongSerializer": lambda key: struct.pack(">q", int(key)),
    "IntegerSerializer": lambda key: struct.pack(">i", int(key)),
}


def run(_: Any, /, **inputs: Json) -> dict[str, Json]:
    """Publish the message that ``kafka_request`` describes; return ``topic``, ``partition`` and ``offset``.

    The request has ``bootStrapServers``, ``topic`` and ``value`` (written as JSON), and may have ``key`` with
    ``keySerializer``, ``headers``, and ``requestTimeoutMs`` and ``maxBlockMs``, whose sum is the longest wait.
    All replicas have to have the message; one that was sent twice on the way is stored once.

    Raises ``TerminalError`` where the client library is missing, ``TaskFailure`` for everything else.
    """
    request = inputs.get("kafka_request")
    if not isinstance(request, Mapping):
        raise TaskFailure("Missing Kafka request: the input needs an object 'kafka_request'.")
    servers, topic = (_text(request, name) for name in ("bootStrapServers", "topic"))
    if "value" not in request:
        raise TaskFailure("The Kafka request needs a 'value'.")
    _judge(servers)
    delivered = publish(servers, topic, request)
    return {"topic": topic, "partition": delivered.partition(), "offset": delivered.offset()}


def publish(servers: str, topic: str, request: JsonObject) -> Message:
    """Publish the ``value`` of a request and return it as it was stored; the servers are not judged."""
    return _publish(_producer(servers, _patience(request)), topic, request)


def _judge(servers: str) -> None:
    """Refuse servers at addresses that may not be called; those that these name in turn are the cluster's affair."""
    for server in servers.split(","):
        host, _, port = server.strip().rpartition("://")[2].rpartition(":")
        host, port = (host, port) if port.isdigit() else (server.strip(), "9092")
        try:
            rules().resolve(host.strip("[]"), int(port))
        except (OSError, ValueError) as error:
            raise TaskFailure(f"The Kafka server {server.strip()[:100]!r} cannot be called: {error}") from None


def _text(request: JsonObject, name: str) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value.strip():
        raise TaskFailure(f"The Kafka request needs '{name}', a text.")
    return value


def _patience(request: JsonObject) -> float:
    waits = [request.get(name) or 0 for name in ("requestTimeoutMs", "maxBlockMs")]
    if not all(isinstance(wait, int | float) and wait >= 0 for wait in waits):
        raise TaskFailure("'requestTimeoutMs' and 'maxBlockMs' of a Kafka request are numbers of milliseconds.")
    return min(max(sum(waits) / 1_000, _LEAST_SECONDS), _MOST_SECONDS)


def _key(request: JsonObject) -> bytes | None:
    key = request.get("key")
    if key is None:
        return None
    name = str(request.get("keySerializer") or "StringSerializer").rpartition(".")[2]
    if name not in _KEYS:
        raise TaskFailure(f"Unknown keySerializer {name!r}: use one of {', '.join(_KEYS)}.")
    try:
        return _KEYS[name](key)
    except (ValueError, TypeError, struct.error) as error:
        raise TaskFailure(f"The key {key!r} cannot be written by {name}: {error}") from None


def _headers(request: JsonObject) -> list[tuple[str, str | bytes]]:
    headers = request.get("headers") or {}
    if not isinstance(headers, Mapping):
        raise TaskFailure("'headers' of a Kafka request is an object of texts.")
    return [(name, str(value).encode()) for name, value in headers.items()]


def _publish(producer: Producer, topic: str, request: JsonObject) -> Message:
    from confluent_kafka import KafkaException

    told: list[tuple[object, Message]] = []
    value = json.dumps(request["value"], ensure_ascii=False).encode()
    try:
        producer.produce(
            topic,
            value=value,
            key=_key(request),
            headers=_headers(request),
            on_delivery=lambda error, message: told.append((error, message)),
        )
    except (KafkaException, BufferError) as error:
        raise TaskFailure(f"Kafka refused the message for topic {topic}: {error}") from None
    while not told:
        # The client gives the message up by itself in time; another thread's poll may be the one that is told.
        producer.poll(_POLL_SECONDS)
    fault, message = told[0]
    if fault is not None:
        raise TaskFailure(f"Kafka did not store the message for topic {topic}: {fault}")
    return message


@lru_cache(_PRODUCERS)
def _producer(servers: str, seconds: float) -> Producer:
    try:
        from confluent_kafka import Producer
    except ImportError:
        raise TerminalError(
            "KAFKA_PUBLISH needs Kafka's client: pip install 'baton-engine[kafka]' where the worker runs."
        ) from None
    return Producer(
        {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "linger.ms": 0,
            "message.timeout.ms": round(seconds * 1_000),
            "log_level": 2,
        }
    )
