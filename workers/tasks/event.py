"""EVENT: publishes the task's input as a message (Conductor 3.13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec
from kombu.connection import Connection
from kombu.pools import producers

from engine.config import load, named_urls
from engine.masking import masked
from engine.model.payload import Json
from engine.outgoing.network import rules
from engine.wire.event_address import AMQP_EXCHANGE, AMQP_QUEUE, CONDUCTOR, EventAddress, read_address
from engine.wire.message import SINK_QUEUE, STATUS_EXCHANGE, Message
from workers.failure import TaskFailure
from workers.tasks.kafka_publish import publish

#: Seconds to reach another broker.
_CONNECT_SECONDS: Final = 5.0
#: Ways to other brokers, with their usual ports. kombu knows more, some of which write files.
_TRANSPORTS: Final = {"amqp": 5672, "amqps": 5671, "pyamqp": 5672, "redis": 6379, "rediss": 6379}
#: Kinds of sink on the engine's own broker.
_OWN: Final = frozenset({CONDUCTOR, AMQP_QUEUE, AMQP_EXCHANGE})
#: Bytes; what AMQP allows for a routing key.
_LONGEST_KEY: Final = 255


def run(task: Any, /, **payload: Json) -> dict[str, Json]:
    """Publish the payload and return it; on failure the output is filled as well.

    ``event_produced`` is where to: ``conductor:<workflow>:<name>`` for event handlers of our own (the queue
    ``baton.sink``; also on the status exchange, with the routing key ``event.`` and the sink), ``amqp_queue:<name>``
    and ``amqp_exchange:<name>?routingKey=<key>`` on the engine's broker, ``<connection>:<name>`` on one that
    ``BATON_EVENT_CONNECTIONS`` names, or the URL of another broker that kombu can reach over the network, with the
    queue behind ``#``: ``redis://host:6379/0#orders``. Such an address is judged like that of an HTTP call. The message
    id is the task's id, so a repeated delivery can be recognised.
    """
    sink, task_id = str(payload.get("event_produced") or ""), task.request.id
    try:
        if "://" in sink:
            _publish_to_url(sink, payload, task_id)
        elif (connection := _connection(sink)) is not None:
            _publish_by_name(connection, read_address(sink), payload, task_id)
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
            raise ValueError(f"Unknown queue type {kind}: BATON_EVENT_CONNECTIONS of this worker does not name it")
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


def _publish_to_url(sink: str, payload: dict[str, Json], task_id: str) -> None:
    """Publish to a queue of a broker that the definition names by its URL, and that may therefore be any."""
    url, _, queue = sink.partition("#")
    if not queue:
        raise ValueError("name the queue behind a '#', as in redis://host:6379/0#orders")
    _publish_elsewhere(_judged(url), "", queue, payload, task_id)


def _connection(sink: str) -> str | None:
    """Return the URL of the connection that a sink begins with, if this worker's settings name it."""
    kind, colon, _ = sink.partition(":")
    return named_urls(load().event_connections).get(kind) if colon and kind not in _OWN else None


def _publish_by_name(url: str, address: EventAddress, payload: dict[str, Json], task_id: str) -> None:
    """Publish over a connection of the settings; whoever wrote them answers for where it leads."""
    if url.startswith("kafka://"):
        request = {"value": payload, "headers": {"message_id": task_id}}
        publish(url.partition("://")[2].strip("/"), address.name, request)
    elif address.is_exchange:
        _publish_elsewhere(url, address.name, address.options.get("routingKey", ""), payload, task_id)
    else:
        _publish_elsewhere(url, "", address.name, payload, task_id)


def _publish_elsewhere(url: str, exchange: str, key: str, payload: dict[str, Json], task_id: str) -> None:
    """Publish on another broker; connections are kept."""
    with (
        Connection(url, connect_timeout=_CONNECT_SECONDS) as connection,  # type: ignore[no-untyped-call]
        producers[connection].acquire(block=True, timeout=_CONNECT_SECONDS) as producer,
    ):
        producer.publish(
            msgspec.json.encode(payload),
            exchange=exchange,
            routing_key=key,
            content_type="application/json",
            content_encoding="utf-8",
            message_id=task_id,
            declare=[connection.SimpleQueue(key).queue] if not url.startswith(("amqp", "pyamqp")) else [],
            mandatory=not exchange,
            retry=True,
            retry_policy={"max_retries": 2},
        )
