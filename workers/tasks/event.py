"""EVENT: publishes the task's input as a message (Conductor 3.13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec
from kombu.connection import Connection
from kombu.pools import producers

from engine.masking import masked
from engine.model.payload import Json
from engine.outgoing.network import rules
from engine.wire.message import SINK_QUEUE, STATUS_EXCHANGE, Message
from workers.failure import TaskFailure

#: Seconds to reach another broker.
_CONNECT_SECONDS: Final = 5.0
#: Ways to other brokers, with their usual ports. kombu knows more, some of which write files.
_TRANSPORTS: Final = {"amqp": 5672, "amqps": 5671, "pyamqp": 5672, "redis": 6379, "rediss": 6379}
#: Bytes; what AMQP allows for a routing key.
_LONGEST_KEY: Final = 255


def run(task: Any, /, **payload: Json) -> dict[str, Json]:
    """Publish the payload and return it; on failure the output is filled as well.

    ``event_produced`` is where to: ``conductor:<workflow>:<name>`` for event handlers of our own (the queue
    ``baton.sink``; also on the status exchange, with the routing key ``event.`` and the sink), ``amqp_queue:<name>``
    and ``amqp_exchange:<name>?routingKey=<key>`` on the engine's broker, or the URL of another broker that kombu can
    reach over the network, with the queue behind ``#``: ``redis://host:6379/0#orders``. Its address is judged like that
    of an HTTP call. The message id is the task's id, so a repeated delivery can be recognised.
    """
    sink, task_id = str(payload.get("event_produced") or ""), task.request.id
    try:
        if "://" in sink:
            _publish_elsewhere(sink, payload, task_id)
        else:
            for message in _messages(sink, payload, task_id):
                task.backend.publish(message)
    except Exception as error:
        reason = f"Error loading queue:{sink}, for task:{task_id}, error: {error}"
        raise TaskFailure(masked(reason), payload) from error
    return payload


def _messages(sink: str, payload: dict[str, Json], task_id: str) -> Iterator[Message]:
    """Yield the messages for the engine's own broker: one, and for ``conductor`` also one for whoever looks on."""
    kind, colon, rest = sink.partition(":")
    if not colon:
        raise ValueError(f"Illegal event {sink}")
    name, _, query = rest.partition("?")
    exchange, key = "", name
    match kind:
        case "conductor":
            exchange, key = STATUS_EXCHANGE, f"event.{sink}"
        case "amqp_queue":
            pass
        case "amqp_exchange":
            exchange, key = name, parse_qs(query).get("routingKey", [""])[0]
        case _:
            raise ValueError(f"Unknown queue type {kind}")
    if kind != "conductor" and not name:
        raise ValueError(f"Illegal event {sink}")
    if len(key.encode()) > _LONGEST_KEY:
        raise ValueError(f"the name is longer than {_LONGEST_KEY} bytes")
    body = msgspec.json.encode(payload)
    if kind == "conductor":
        yield Message(queue=SINK_QUEUE, body=body, message_id=task_id, headers={"event": sink})
    yield Message(queue=key, exchange=exchange, body=body, message_id=task_id)


def _judged(url: str) -> str:
    """Return the URL of a broker with a judged address for its host, so that the name cannot mean another one later.

    Where TLS is spoken the name stays: the certificate is made out to it, and nobody else can show that.
    """
    parts = urlsplit(url)
    if parts.scheme not in _TRANSPORTS or not parts.hostname or ";" in url:
        raise ValueError(f"only one broker by {', '.join(_TRANSPORTS)} can be published to, not {masked(url)[:200]!r}")
    port = parts.port or _TRANSPORTS[parts.scheme]
    addresses = rules().resolve(parts.hostname, port)
    if parts.scheme in ("amqps", "rediss"):
        return url
    user, at, _ = parts.netloc.rpartition("@")
    address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    return urlunsplit(parts._replace(netloc=f"{user}{at}{address}:{port}"))


def _publish_elsewhere(sink: str, payload: dict[str, Json], task_id: str) -> None:
    """Publish to a queue of another broker; connections are kept."""
    url, _, queue = sink.partition("#")
    if not queue:
        raise ValueError("name the queue behind a '#', as in redis://host:6379/0#orders")
    with (
        Connection(_judged(url), connect_timeout=_CONNECT_SECONDS) as connection,  # type: ignore[no-untyped-call]
        producers[connection].acquire(block=True, timeout=_CONNECT_SECONDS) as producer,
    ):
        producer.publish(
            msgspec.json.encode(payload),
            routing_key=queue,
            content_type="application/json",
            content_encoding="utf-8",
            message_id=task_id,
            declare=[connection.SimpleQueue(queue).queue] if not url.startswith("amqp") else [],
            mandatory=True,
            retry=True,
            retry_policy={"max_retries": 2},
        )
