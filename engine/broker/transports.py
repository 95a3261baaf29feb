"""Every other broker that kombu reaches (SQS, Redis Sentinel, a database …) behind the port, with weaker promises."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from kombu.connection import Connection
from kombu.exceptions import KombuError

from engine.broker import topology
from engine.broker.compression import leave_packed
from engine.broker.dead_letter import letter_id
from engine.errors import BadConfiguration, BrokerUnavailable
from engine.model.payload import Json
from engine.wire.message import STATUS_EXCHANGE, Delivery, Message, events_queue

#: Seconds between two looks at whether ``receive`` was interrupted; most of these transports poll anyway.
_GLANCE_SECONDS = 0.1

#: Transports on which priority 0 is the most urgent.
_ZERO_IS_URGENT = frozenset({"sentinel"})


class KombuBroker:
    """A connection through one of kombu's transports; see ``engine.broker.port.Broker``.

    What is weaker than on RabbitMQ:

    * there are no confirms: a message counts as published when the transport's call has returned;
    * an unacked message comes again after a clean close or, with Sentinel and SQS, after the visibility timeout;
    * queues have no single active consumer: correctness rests on the version check of every save;
    * priorities are as good as the transport's (four steps with Sentinel, none on most);
    * rejected and peeked messages may move to another place in their queue;
    * an empty queue and a missing one are often the same, so ``ready`` says 0 for both;
    * status messages and the control of workers reach other processes only where the transport keeps its bindings or
      can broadcast (Sentinel does both).
    """

    def __init__(self, url: str) -> None:
        """Take the transport's URL; raise ``BadConfiguration`` when kombu knows no such transport."""
        try:
            self._kombu: Json = _connection(url)
            self._errors: tuple[type[BaseException], ...] = (
                *self._kombu.connection_errors,
                *self._kombu.channel_errors,
                KombuError,
                OSError,
            )
        except (KeyError, ImportError, AttributeError) as error:
            scheme = url.partition(":")[0]
            raise BadConfiguration(
                [f"The broker's transport {scheme!r} cannot be used: {error}. Install what it needs (kombu[{scheme}])."]
            ) from error
        self._zero_is_urgent = self._kombu.transport_cls in _ZERO_IS_URGENT
        # Set by another thread.
        self._interrupted = False
        self._lost: str | None = None
        self._opened = False
        self._arrived: list[Delivery] = []
        self._channels: dict[str, Json] = {}
        self._desk: Json
        self._partitions = 0
        self._owned: dict[str, topology.Queue] = {}
        self._bindings: dict[tuple[str, str, str], None] = {}
        self._prefetch: dict[str, int] = {}

    def reconnect(self) -> None:
        """See the port."""
        self._drop()
        self._lost = None
        with self._guarded():
            self._kombu.connect()
            self._opened = True
            self._desk = self._channel()
            for exchange in topology.EXCHANGES.values():
                self._desk.exchange_declare(exchange.name, type=exchange.type, durable=exchange.durable)
            events = (topology.queue(events_queue(partition)) for partition in range(self._partitions))
            for declared in (*topology.engine_queues(), *events):
                self._declare(declared)
            for name in self._owned:
                self._make(name)
            for name in self._prefetch:
                self._start(name)

    def declare_partitions(self, count: int) -> None:
        """See the port."""
        self._partitions = max(count, self._partitions)
        with self._using():
            for partition in range(count):
                self._declare(topology.queue(events_queue(partition)))

    def declare_replies(self, queue: str) -> None:
        """See the port."""
        self._owned[queue] = topology.replies(queue)
        with self._using():
            self._make(queue)

    def subscribe(self, pattern: str, queue: str, exchange: str = STATUS_EXCHANGE) -> None:
        """See the port."""
        self._owned[queue] = topology.subscription(queue)
        self._bindings[queue, exchange, pattern] = None
        with self._using():
            self._make(queue)

    def consume(self, queue: str, prefetch: int) -> None:
        """See the port."""
        self._prefetch[queue] = prefetch
        with self._using():
            self._start(queue)

    def cancel(self, queue: str) -> None:
        """See the port."""
        self._prefetch.pop(queue, None)
        with self._using():
            self._stop(queue)

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """See the port."""
        deadline = time.monotonic() + wait_seconds
        with self._using():
            while len(self._arrived) < limit and self._drain(0):
                pass
            while not (self._arrived or self._interrupted or time.monotonic() >= deadline):
                self._drain(min(_GLANCE_SECONDS, deadline - time.monotonic()))
        self._interrupted = False
        taken, self._arrived = self._arrived[:limit], self._arrived[limit:]
        return taken

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish and return once the transport's calls have returned; a missing reply queue is not noticed."""
        with self._using():
            for message in messages:
                self._desk.basic_publish(self._outward(message), message.exchange, message.queue)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        with self._using():
            for found in self._ours(deliveries):
                found.ack()

    def reject(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        with self._using():
            for found in self._ours(deliveries):
                found.requeue()

    def ready(self, queue: str) -> int:
        """Return how many messages wait; 0 also when there is no such queue."""
        with self._using():
            try:
                return int(self._desk.queue_declare(queue, passive=True).message_count)
            except self._kombu.channel_errors:
                return 0

    def consumers(self, queue: str) -> int | None:
        """Return None: nobody counts them here."""
        return None

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        """See the port."""
        with self._using():
            fetched = [item for item, _ in zip(self._fetch(queue), range(limit), strict=False)]
            for found in reversed(fetched):
                found.requeue()
            return [self._inward(queue, found, receipt=None) for found in fetched]

    def take(self, queue: str, letter: str) -> Delivery | None:
        """See the port."""
        with self._using():
            wanted, passed = None, []
            for found in self._fetch(queue):
                if letter_id(self._inward(queue, found, receipt=None).message) == letter:
                    wanted = found
                    break
                passed.append(found)
            for found in reversed(passed):
                found.requeue()
            return None if wanted is None else self._inward(queue, wanted, receipt=wanted)

    def fetch(self, queue: str, limit: int) -> list[Delivery]:
        """See the port."""
        with self._using():
            fetched = (found for _, found in zip(range(limit), self._fetch(queue), strict=False))
            return [self._inward(queue, found, receipt=found) for found in fetched]

    def interrupt(self) -> None:
        """See the port; notices within a tenth of a second."""
        self._interrupted = True

    def close(self) -> None:
        """See the port."""
        self._drop()
        self._lost = "This connection is closed: open another one."

    @contextmanager
    def _using(self) -> Iterator[None]:
        if self._lost is not None:
            raise BrokerUnavailable(self._lost)
        if not self._opened:
            self.reconnect()
        with self._guarded():
            yield

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            self._lost = f"The broker at {self._kombu.as_uri()} cannot be used: {error}"
            raise BrokerUnavailable(self._lost) from error

    def _drop(self) -> None:
        """Close the connection, whatever state it is in."""
        with suppress(*self._errors):
            if self._opened and self._lost is None:
                for name in self._owned:
                    self._desk.queue_delete(name)
                for channel in (self._desk, *self._channels.values()):
                    # kombu does this by itself on closing, but not for every transport.
                    channel.basic_recover(requeue=True)
        with suppress(*self._errors):
            self._kombu.release()
        self._opened = False
        self._channels.clear()
        self._arrived.clear()

    def _channel(self) -> Json:
        channel = self._kombu.channel()
        # Without this, kombu keeps for ever what is published to an exchange that nobody listens to.
        channel.deadletter_queue = None
        return channel

    def _declare(self, declared: topology.Queue) -> None:
        self._desk.queue_declare(declared.name, durable=declared.durable, auto_delete=declared.auto_delete)

    def _make(self, name: str) -> None:
        self._declare(self._owned[name])
        for bound, exchange, pattern in self._bindings:
            if bound == name:
                self._desk.queue_bind(name, exchange, pattern)

    def _start(self, name: str) -> None:
        """Consume on a channel of its own, because kombu counts the prefetch for each channel."""
        self._stop(name)
        self._declare(self._owned.get(name) or topology.queue(name))
        channel = self._channels[name] = self._channel()
        channel.basic_qos(0, self._prefetch[name], False)

        def arrived(found: Json) -> None:
            self._arrived.append(self._inward(name, found, receipt=found))

        channel.basic_consume(name, no_ack=False, callback=arrived, consumer_tag=name)

    def _stop(self, name: str) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return
        # The channel stays open for the acks of what was received; it is closed with the connection.
        channel.basic_cancel(name)
        for item in self._ours([item for item in self._arrived if item.queue == name]):
            item.requeue()
        self._arrived = [item for item in self._arrived if item.queue != name]

    def _drain(self, wait_seconds: float) -> bool:
        """Let one message arrive; return whether one did."""
        before = len(self._arrived)
        with suppress(TimeoutError):
            self._kombu.drain_events(timeout=max(wait_seconds, 0))
        return len(self._arrived) > before

    def _fetch(self, queue: str) -> Iterator[Json]:
        """Yield the messages that were waiting at first, next one first."""
        for _ in range(self.ready(queue)):
            found = self._desk.basic_get(queue)
            if found is None:
                return
            yield found

    def _ours(self, deliveries: Sequence[Delivery]) -> Iterator[Json]:
        """Yield the messages of those deliveries that belong to this connection and are not settled."""
        channels = {id(channel) for channel in (self._desk, *self._channels.values())}
        for item in deliveries:
            found: Json = item.receipt
            if found is not None and id(found.channel) in channels and not found.acknowledged:
                yield found

    def _outward(self, message: Message) -> Json:
        priority = 9 - message.priority if self._zero_is_urgent else message.priority
        properties: dict[str, Json] = {
            "message_id": message.message_id,
            "correlation_id": message.correlation_id,
            "reply_to": message.reply_to,
            "delivery_mode": 1 if message.transient else 2,
        }
        return self._desk.prepare_message(
            message.body,
            priority=priority,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=dict(message.headers),
            properties={key: value for key, value in properties.items() if value is not None},
        )

    def _inward(self, queue: str, found: Json, receipt: Json) -> Delivery:
        properties, body = found.properties, found.body
        info: Json = found.delivery_info or {}
        urgency = properties.get("priority") or info.get("priority")
        priority = min(max(urgency, 0), 9) if isinstance(urgency, int) else 0
        message = Message(
            queue=info.get("routing_key") or queue,
            exchange=info.get("exchange") or "",
            body=body.encode() if isinstance(body, str) else bytes(body),
            headers=found.headers if isinstance(found.headers, dict) else {},
            content_type=_text(found.content_type) or "application/json",
            content_encoding=_text(found.content_encoding) or "utf-8",
            message_id=_text(properties.get("message_id")),
            correlation_id=_text(properties.get("correlation_id")),
            reply_to=_text(properties.get("reply_to")),
            priority=9 - priority if self._zero_is_urgent else priority,
            transient=properties.get("delivery_mode") == 1,
        )
        # kombu's own transports mark only the payload that they put back.
        again = info.get("redelivered") or getattr(found, "_raw", {}).get("redelivered")
        return Delivery(message=message, queue=queue, redelivered=bool(again), receipt=receipt)


def _text(value: Json) -> str | None:
    """Return a property as a text; these transports carry whatever a stranger has written."""
    return None if value is None else str(value)


def _connection(url: str) -> Json:
    leave_packed()
    return Connection(url)  # type: ignore[no-untyped-call]
