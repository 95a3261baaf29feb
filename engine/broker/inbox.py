"""What the broker has delivered: waiting to be received, or received and not yet acked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

from msgspec import Struct
from pika import frame, spec
from pika.channel import Channel

from engine.broker.amqp_connection import AmqpChannel, AmqpConnection, ChannelClosed, RawProperties
from engine.broker.amqp_encoding import read_message
from engine.broker.short_way import Arrival
from engine.log import get_logger
from engine.model.payload import Json
from engine.wire.message import Delivery

log = get_logger(__name__)

#: Seconds for which a queue that was deleted is not declared again. RabbitMQ tries for some hundredths of a second to
#: give the consumers of a queue that is gone to the queue of that name, and one declared meanwhile gets consumers to
#: whose channels nothing is ever delivered: deaf, and told of nothing.
DELETED_SECONDS = 1.0


class Receipt(Struct, frozen=True):
    """The number of a delivery on the channel that it came through; void once that channel is gone."""

    channel: AmqpChannel
    tag: int


class Outstanding:
    """The deliveries of one channel that are neither acked nor rejected, in the order of their tags."""

    def __init__(self) -> None:
        self._tags: dict[int, None] = {}

    def add(self, tag: int) -> None:
        """Note a delivery."""
        self._tags[tag] = None

    @property
    def tags(self) -> tuple[int, ...]:
        """The tags noted, in order."""
        return tuple(self._tags)

    def settle(self, tags: Collection[int]) -> tuple[int, list[int]]:
        """Forget these deliveries and return how to say so: up to one tag (0 for none), and one by one.

        "Up to" is used only as far as every outstanding delivery below is among ``tags``, because it settles them all,
        also those that have not been received yet. Tags that are not outstanding are left out.
        """
        settled = set(tags)
        upto = 0
        for tag in self._tags:
            if tag not in settled:
                break
            upto = tag
        single = sorted(tag for tag in settled if tag > upto and tag in self._tags)
        for tag in settled:
            self._tags.pop(tag, None)
        return upto, single


class Inbox:
    """One channel for all consumers of a connection, each with a prefetch of its own, and bytes that all share.

    AMQP bounds what is unacked by number only. A message that would bring what is held above ``most_bytes`` goes back
    at once and its queue is ``paused``: nothing more of it comes until it is consumed again, fewer at a time. What goes
    back may come again in another order.
    """

    def __init__(self, connection: AmqpConnection, wake: threading.Condition, most_bytes: int) -> None:
        self._wake = wake
        self._arrived: deque[Arrival] = deque()
        self._outstanding = Outstanding()
        self._prefetch: dict[str, int] = {}
        self._most_bytes = most_bytes
        self._sizes: dict[int, int] = {}
        #: Bytes of all bodies that are neither acked nor put back.
        self._bytes = 0
        #: Queues that hold too large messages, each with the prefetch that suits them.
        self.paused: dict[str, int] = {}
        self._connection = connection
        #: Queues whose consumer was cancelled by the broker, because they were deleted or have lost their leader, and
        #: when they may be consumed again (monotonic seconds).
        self.cancelled: dict[str, float] = {}
        self.channel = AmqpChannel(connection, on_closed=self._on_closed)
        self.channel.ask(self._watch_cancellations)
        self.channel.take(self)

    def consume(self, queue: str, prefetch: int) -> None:
        """Start a consumer, or change its prefetch; raise ``ChannelClosed`` when the broker refuses."""
        if self._prefetch.get(queue) == prefetch:
            return
        self.cancel(queue)
        self.paused.pop(queue, None)
        self.channel.ask(lambda pika, answer: pika.basic_qos(prefetch_count=prefetch, callback=answer))
        # A queue has one consumer here, so its name serves as the consumer's tag too.
        start = partial(Channel.basic_consume, on_message_callback=partial(self._deliver, queue), consumer_tag=queue)
        self._prefetch[queue] = prefetch
        self.channel.ask(lambda pika, answer: start(pika, queue, callback=answer))

    def cancel(self, queue: str) -> None:
        """Stop a consumer and put back what nobody has received yet."""
        paused = self.paused.pop(queue, None) is not None
        if self._prefetch.pop(queue, None) is None and not paused:
            return
        if not paused:
            self.channel.ask(lambda pika, answer: pika.basic_cancel(queue, callback=answer))
        with self._wake:
            unread = [arrival.tag for arrival in self._arrived if arrival.consumer == queue]
            self._arrived = deque(arrival for arrival in self._arrived if arrival.consumer != queue)
        self.settle(unread, requeue=True)

    def receive(self, limit: int) -> list[Delivery]:
        """Return up to ``limit`` of what has arrived, without waiting."""
        with self._wake:
            taken = [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]
        return [_received(self.channel, arrival) for arrival in taken]

    def take_cancelled(self) -> list[str]:
        """Return, once, the queues whose consumers may be restored by now."""
        with self._wake:
            now = time.monotonic()
            due = [queue for queue, when in self.cancelled.items() if when <= now]
            for queue in due:
                del self.cancelled[queue]
        return due

    def settle(self, tags: Collection[int], *, requeue: bool) -> None:
        """Ack these deliveries, or put them back."""
        with self._wake:
            upto, single = self._outstanding.settle(tags)
            self._bytes -= sum(self._sizes.pop(tag, 0) for tag in tags)
        if upto or single:
            self.channel.acknowledge(upto, single, requeue=requeue)

    def __len__(self) -> int:
        return len(self._arrived)

    @property
    def has_room(self) -> bool:
        """Whether so little is held that paused queues may be consumed again."""
        return 2 * self._bytes <= self._most_bytes

    def _deliver(
        self, queue: str, _: Channel, method: spec.Basic.Deliver, properties: RawProperties, body: bytes
    ) -> None:
        """Take what pika has delivered."""
        self.take([_arrival(queue, method, properties, body)])

    def wants(self, consumer: str) -> bool:
        """See ``Taker``: pika puts back what comes behind a cancellation."""
        return consumer in self._prefetch

    def take(self, arrivals: Sequence[Arrival]) -> None:
        """See ``Taker``."""
        with self._wake:
            before = len(self._arrived)
            for arrival in arrivals:
                self._keep(arrival, len(arrival.body))
            if len(self._arrived) > before:
                self._wake.notify()

    def _keep(self, arrival: Arrival, size: int) -> None:
        # One is always taken, or a message that is larger than all the room would never be.
        if self._bytes and self._bytes + size > self._most_bytes:
            self._pause(arrival.consumer, arrival.tag, size)
            return
        self._outstanding.add(arrival.tag)
        self._sizes[arrival.tag] = size
        self._bytes += size
        self._arrived.append(arrival)

    def _pause(self, queue: str, tag: int, size: int) -> None:
        """Put a message back and let no more of its queue come; in the connection's thread."""
        if self._prefetch.pop(queue, None) is not None:
            self.channel.pika.basic_cancel(queue, callback=lambda _: None)
            fitting = max(1, self._most_bytes // size // (len(self._prefetch) + 1))
            self.paused[queue] = fitting
            log.info("broker.paused", queue=queue, message_bytes=size, held_bytes=self._bytes, prefetch=fitting)
        self.channel.pika.basic_nack(tag, requeue=True)

    def _watch_cancellations(self, pika: Channel, answer: Callable[[Json], None]) -> None:
        pika.add_on_cancel_callback(self._on_cancelled)
        answer(None)

    def _on_cancelled(self, cancel: frame.Method) -> None:
        with self._wake:
            queue = cancel.method.consumer_tag
            if self._prefetch.pop(queue, None) is not None:
                self.cancelled[queue] = time.monotonic() + DELETED_SECONDS
            self._wake.notify()

    def _on_closed(self, reason: ChannelClosed) -> None:
        # A delivery unacked for longer than the broker's consumer_timeout ends here too.
        self._connection.end(f"closed the channel for consuming: {reason}")


def _received(channel: AmqpChannel, arrival: Arrival) -> Delivery:
    """Return what has arrived as a delivery."""
    return Delivery(
        message=read_message(arrival.routing_key, arrival.exchange, arrival.properties, arrival.body),
        queue=arrival.consumer,
        redelivered=arrival.redelivered,
        receipt=Receipt(channel, arrival.tag),
    )


def delivery(
    channel: AmqpChannel,
    queue: str,
    method: spec.Basic.Deliver | spec.Basic.GetOk,
    properties: RawProperties,
    body: bytes,
) -> Delivery:
    """Return what pika handed over as a delivery."""
    return _received(channel, _arrival(queue, method, properties, body))


def _arrival(
    queue: str, method: spec.Basic.Deliver | spec.Basic.GetOk, properties: RawProperties, body: bytes
) -> Arrival:
    place = (method.exchange, method.routing_key)
    return Arrival(queue, method.delivery_tag, method.redelivered, *place, properties.raw, body)


def tags_by_channel(deliveries: Iterable[Delivery]) -> dict[AmqpChannel, list[int]]:
    """Return the tags to settle on each channel; deliveries that carry no receipt are left out."""
    found: dict[AmqpChannel, list[int]] = {}
    for item in deliveries:
        if isinstance(item.receipt, Receipt):
            found.setdefault(item.receipt.channel, []).append(item.receipt.tag)
    return found
