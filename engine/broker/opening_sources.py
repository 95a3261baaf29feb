"""Where event handlers get their messages from: one address each, whatever broker it is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.broker.event_source import PREFETCH, Source
from engine.broker.opening import is_rabbitmq, is_redis, open_broker
from engine.broker.port import Broker, OpenBroker
from engine.errors import BadConfiguration, BrokerUnavailable
from engine.wire.event_address import AMQP_EXCHANGE, AMQP_QUEUE, NOWHERE, EventAddress
from engine.wire.message import Delivery

_KAFKA = "kafka://"


class EngineQueue:
    """A queue on the engine's own broker, through the engine's own connection."""

    def __init__(self, open_broker: OpenBroker, queue: str) -> None:
        self._open_broker = open_broker
        self._queue = queue
        self._broker: Broker | None = None

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """See the port."""
        if self._broker is None:
            broker = self._open_broker()
            broker.consume(self._queue, PREFETCH)
            self._broker = broker
        try:
            return self._broker.receive(limit, wait_seconds)
        except BrokerUnavailable:
            self.close()
            raise

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        if self._broker is None:
            return
        try:
            self._broker.ack(deliveries)
        except BrokerUnavailable:
            self.close()
            raise

    def close(self) -> None:
        """See the port."""
        if self._broker is not None:
            self._broker.close()
            self._broker = None


def open_source(address: EventAddress, broker_url: str, connections: Mapping[str, str], open_own: OpenBroker) -> Source:
    """Return the source at an address; nothing is connected yet.

    ``broker_url`` and ``open_own`` lead to the engine's own broker, ``connections`` has the URLs of others by name.
    Raises ``BadConfiguration`` when the address leads nowhere.
    """
    if address.kind == NOWHERE:
        raise BadConfiguration(
            [f"the event {address.name} names no place: write it as type:name, for example amqp_queue:{address.name}"]
        )
    if address.kind in (AMQP_QUEUE, AMQP_EXCHANGE):
        if is_rabbitmq(broker_url):
            return _by_kombu(broker_url, address)
        if address.kind == AMQP_QUEUE:
            return EngineQueue(open_own, address.name)
        raise BadConfiguration([f"{address.identity}: only RabbitMQ has exchanges, and the engine's broker is none."])
    url = connections.get(address.kind)
    if url is None:
        known = ", ".join(sorted(connections)) or "none"
        raise BadConfiguration(
            [f"{address.identity}: there is no connection {address.kind!r}; BATON_EVENT_CONNECTIONS names {known}."]
        )
    return _elsewhere(url, address)


def _elsewhere(url: str, address: EventAddress) -> Source:
    if is_redis(url):
        # What lies there as kombu writes it, or as a plain text that anybody has pushed.
        return EngineQueue(lambda: open_broker(url), address.name)
    if url.startswith(_KAFKA):
        from engine.broker.kafka_events import KafkaEvents

        return KafkaEvents(url, address)
    return _by_kombu(url, address)


def _by_kombu(url: str, address: EventAddress) -> Source:
    from engine.broker.kombu_events import KombuEvents

    return KombuEvents(url, address)
