"""Messages for event handlers from a topic of Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from engine.errors import BadConfiguration, BrokerUnavailable
from engine.wire.event_address import EventAddress
from engine.wire.message import Delivery, Message

if TYPE_CHECKING:
    from confluent_kafka import Consumer
    from confluent_kafka import Message as Record

#: The consumer group that listeners form, unless the address names another one.
_GROUP: Final = "baton"

#: Milliseconds without a sign of life after which a listener's partitions go to others.
_SESSION_MS: Final = 10_000

#: Milliseconds between two looks for a topic that is not there yet.
_METADATA_MS: Final = 5_000

#: The header by which an EVENT task's messages are known.
_ID_HEADER: Final = "message_id"


class KafkaEvents:
    """See ``engine.broker.event_source.Source``.

    ``?group=`` names another consumer group, ``?from=latest`` lets one that is new begin with what comes from now on,
    instead of with what is there. Offsets are committed once messages are done with. A record without the header
    ``message_id`` is known by its topic, partition and offset.
    """

    def __init__(self, url: str, address: EventAddress) -> None:
        """Take URL and address; raise ``BadConfiguration`` when the client library is missing or the options wrong."""
        try:
            import confluent_kafka
        except ImportError:
            fault = f"{address.identity}: Kafka's client is not installed: pip install 'baton-engine[kafka]'."
            raise BadConfiguration([fault]) from None
        self._kafka = confluent_kafka
        self._address = address
        beginning = address.options.get("from", "earliest")
        if beginning not in ("earliest", "latest"):
            raise BadConfiguration([f"{address.identity}: 'from' must be earliest or latest, not {beginning!r}."])
        self._configuration = {
            "bootstrap.servers": url.partition("://")[2].strip("/"),
            "group.id": address.options.get("group") or _GROUP,
            "auto.offset.reset": beginning,
            "enable.auto.commit": False,
            "session.timeout.ms": _SESSION_MS,
            "topic.metadata.refresh.interval.ms": _METADATA_MS,
            "log_level": 2,
        }
        self._consumer: Consumer | None = None

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """See the port."""
        try:
            if self._consumer is None:
                self._consumer = self._kafka.Consumer(self._configuration)
                self._consumer.subscribe([self._address.name])
            first = self._consumer.poll(wait_seconds)
            if first is None:
                return []
            records = [first, *self._consumer.consume(limit - 1, 0.0)]
        except (self._kafka.KafkaException, RuntimeError) as error:
            raise self._lost(error) from error
        return [self._delivery(record) for record in records if not self._is_told_otherwise(record)]

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        ends: dict[int, int] = {}
        for each in deliveries:
            record: Record = each.receipt  # type: ignore[assignment]
            partition, offset = record.partition(), record.offset()
            if partition is not None and offset is not None:
                ends[partition] = max(ends.get(partition, 0), offset + 1)
        if self._consumer is None or not ends:
            return
        name = self._address.name
        places = [self._kafka.TopicPartition(name, partition, offset) for partition, offset in ends.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except (self._kafka.KafkaException, RuntimeError) as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """See the port."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _lost(self, error: object) -> BrokerUnavailable:
        self.close()
        return BrokerUnavailable(f"{self._address.identity} cannot be read: {error}")

    def _is_told_otherwise(self, record: Record) -> bool:
        """Return whether a record is none but the news that there is no such topic yet; raise for all other news."""
        error = record.error()
        if error is None:
            return False
        missing = (self._kafka.KafkaError.UNKNOWN_TOPIC_OR_PART, self._kafka.KafkaError._UNKNOWN_TOPIC)
        if error.code() in missing:
            return True
        raise self._lost(error)

    def _delivery(self, record: Record) -> Delivery:
        value = record.value()
        message = Message(
            queue=self._address.name,
            # Kafka's null, by which a key is deleted, is JSON's.
            body=b"null" if value is None else bytes(value),
            message_id=_id_of(record),
        )
        return Delivery(message=message, queue=self._address.name, receipt=record)


def _id_of(record: Record) -> str:
    for name, value in record.headers() or ():
        if name == _ID_HEADER and value:
            return bytes(value).decode("utf-8", "replace")
    return f"{record.topic()}:{record.partition()}:{record.offset()}"
