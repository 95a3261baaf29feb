"""Messages for event handlers from RabbitMQ, SQS and whatever else kombu reaches: queues, also behind exchanges."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.exceptions import KombuError
from kombu.messaging import Consumer

from engine.broker.compression import leave_packed
from engine.broker.event_source import PREFETCH
from engine.errors import BadConfiguration, BrokerUnavailable
from engine.masking import masked
from engine.model.payload import Json
from engine.wire.event_address import EventAddress
from engine.wire.message import Delivery, Message

#: Seconds to reach the broker.
_CONNECT_SECONDS: Final = 5.0

#: Begins the name of a queue that is bound to an exchange, where the address gives it none.
_BOUND: Final = "baton.event."


class KombuEvents:
    """See ``engine.broker.event_source.Source``.

    A queue or exchange that is there is used as it is; one that is missing is declared, durable unless the address
    says otherwise. A queue bound to an exchange stays when nobody listens, so that nothing is missed.
    """

    def __init__(self, url: str, address: EventAddress) -> None:
        """Take URL and address; raise ``BadConfiguration`` when kombu knows no such transport."""
        self._address = address
        leave_packed()
        try:
            self._connection: Json = Connection(url, connect_timeout=_CONNECT_SECONDS)  # type: ignore[no-untyped-call]
            self._errors: tuple[type[BaseException], ...] = (
                *self._connection.connection_errors,
                *self._connection.channel_errors,
                KombuError,
                OSError,
            )
        except (KeyError, ImportError, AttributeError) as error:
            scheme = url.partition(":")[0]
            fault = f"{address.identity}: the transport {scheme!r} cannot be used: {error}. Install kombu[{scheme}]."
            raise BadConfiguration([fault]) from error
        self._shown = masked(url)
        self._opened = False
        self._arrived: list[Delivery] = []

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """See the port."""
        deadline = time.monotonic() + wait_seconds
        try:
            if not self._opened:
                self._open()
            self._drain(max(0.0, deadline - time.monotonic()) if not self._arrived else 0)
            while len(self._arrived) < limit and self._drain(0):
                pass
        except self._errors as error:
            raise self._lost(error) from error
        taken, self._arrived = self._arrived[:limit], self._arrived[limit:]
        return taken

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        try:
            for each in deliveries:
                found: Json = each.receipt
                found.ack()
        except self._errors as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """See the port."""
        self._opened = False
        self._arrived.clear()
        with suppress(*self._errors):
            self._connection.release()

    def _lost(self, error: BaseException) -> BrokerUnavailable:
        self.close()
        return BrokerUnavailable(f"{self._address.identity} at {self._shown} cannot be read: {error}")

    def _open(self) -> None:
        self._connection.connect()
        channel = self._connection.channel()
        if self._connection.transport.driver_type == "amqp":
            name = self._declared_on_amqp()
        else:
            name = self._address.name
            channel.queue_declare(name, durable=True)
        consumer: Json = Consumer(
            channel,
            queues=[Queue(name, no_declare=True)],  # type: ignore[no-untyped-call]
            on_message=self._note,
            auto_declare=False,
            prefetch_count=PREFETCH,
        )
        consumer.consume()
        self._queue = name
        self._opened = True

    def _note(self, found: Json) -> None:
        properties, body = found.properties, found.body
        message = Message(
            queue=self._queue,
            body=body.encode() if isinstance(body, str) else bytes(body),
            headers=found.headers if isinstance(found.headers, dict) else {},
            message_id=_id_of(properties),
        )
        again = bool((found.delivery_info or {}).get("redelivered"))
        self._arrived.append(Delivery(message=message, queue=self._queue, redelivered=again, receipt=found))

    def _drain(self, wait_seconds: float) -> bool:
        """Let one message arrive; return whether one did."""
        before = len(self._arrived)
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=wait_seconds)
        return len(self._arrived) > before

    def _declared_on_amqp(self) -> str:
        """Return the queue to consume; what is missing is declared, and what is there is left as it is."""
        address, options = self._address, self._address.options
        if not address.is_exchange:
            self._make(address.name)
            return address.name
        name = options.get("bindQueueName") or self._default_queue()
        with self._connection.channel() as channel:
            if not self._is_there(lambda own: own.exchange_declare(address.name, type="", passive=True)):
                kind, durable = options.get("exchangeType") or "topic", _flag(options, "durable", default=True)
                channel.exchange_declare(
                    address.name, type=kind, durable=durable, auto_delete=_flag(options, "autoDelete", default=False)
                )
            self._make(name)
            for key in (options.get("routingKey") or "#").split(","):
                channel.queue_bind(name, exchange=address.name, routing_key=key.strip())
        return name

    def _default_queue(self) -> str:
        key = self._address.options.get("routingKey")
        return _BOUND + self._address.name + (f".{key}" if key else "")

    def _make(self, name: str) -> None:
        if self._is_there(lambda own: own.queue_declare(name, passive=True)):
            return
        options = self._address.options
        most = options.get("maxPriority", "")
        with self._connection.channel() as channel:
            channel.queue_declare(
                name,
                durable=_flag(options, "durable", default=True),
                exclusive=_flag(options, "exclusive", default=False),
                auto_delete=_flag(options, "autoDelete", default=False),
                arguments={"x-max-priority": int(most)} if most.isdigit() and int(most) else None,
            )

    def _is_there(self, look: Json) -> bool:
        """Ask on a channel of its own, which the broker closes when the answer is no."""
        channel = self._connection.channel()
        try:
            look(channel)
        except self._connection.channel_errors as error:
            if getattr(error, "code", None) != 404:
                raise
            return False
        channel.close()
        return True


def _flag(options: Json, name: str, *, default: bool) -> bool:
    value = options.get(name)
    return default if value is None else str(value).lower() == "true"


def _id_of(properties: Json) -> str | None:
    """Return what the sender, or else the broker, knows the message by."""
    known = properties.get("message_id") or (properties.get("delivery_info") or {}).get("sqs_message", {}).get(
        "MessageId"
    )
    return None if known is None else str(known)
