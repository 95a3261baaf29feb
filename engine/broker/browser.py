"""Looking into a queue without consuming it, and taking what waits there, or one message out of the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pika import spec
from pika.channel import Channel

from engine.broker.amqp_connection import AmqpChannel, AmqpConnection, ChannelClosed
from engine.broker.dead_letter import letter_id
from engine.broker.inbox import Outstanding, Receipt, delivery
from engine.model.payload import Json
from engine.wire.message import Delivery

_NOT_FOUND = 404

#: Messages that are asked for one after the other; consuming for a moment takes as long as asking four times.
_ONE_BY_ONE = 4


class Browser:
    """Fetches messages one by one; those that are not wanted go back where they were."""

    def __init__(self, connection: AmqpConnection, exists: Callable[[str], bool]) -> None:
        """``exists`` tells whether there is a queue of a name."""
        self._connection = connection
        self._exists = exists
        self._taking: AmqpChannel | None = None
        #: Queues that were seen.
        self._seen: set[str] = set()

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        """Return up to ``limit`` waiting messages without receipts; closing the channel puts them back."""
        channel = AmqpChannel(self._connection)
        try:
            found = [item for item, _ in zip(_fetch(channel, queue), range(limit), strict=False)]
        finally:
            channel.close()
        return [Delivery(message=item.message, queue=item.queue, redelivered=item.redelivered) for item in found]

    def take(self, queue: str, letter: str) -> Delivery | None:
        """Return the message of this id, unacked on a channel that stays open for its ack, or None."""
        channel = self._lasting()
        passed = Outstanding()
        found = None
        for item in _fetch(channel, queue):
            if letter_id(item.message) == letter:
                found = item
                break
            assert isinstance(item.receipt, Receipt)
            passed.add(item.receipt.tag)
        # One by one: "multiple" would also put back what an earlier take still holds on this channel.
        channel.acknowledge(0, passed.tags, requeue=True)
        return found

    def fetch(self, queue: str, limit: int) -> list[Delivery]:
        """Return up to ``limit`` waiting messages, unacked on a channel that stays open for their acks.

        A question about a missing queue would close that channel, and what it holds would be handed out again.
        """
        if queue not in self._seen and not self._exists(queue):
            return []
        self._seen.add(queue)
        channel, found = self._lasting(), list[Delivery]()
        if limit > _ONE_BY_ONE:
            found = _burst(channel, queue, limit)
        few = min(limit - len(found), _ONE_BY_ONE)
        return [*found, *_few(channel, queue, few)] if few else found

    def _lasting(self) -> AmqpChannel:
        if self._taking is None or self._taking.closed is not None:
            self._taking = AmqpChannel(self._connection)
        return self._taking


def _burst(channel: AmqpChannel, queue: str, limit: int) -> list[Delivery]:
    """Return up to ``limit`` waiting messages by consuming until one more question has been answered.

    What waits is sent before that answer by classic queues; a quorum queue may be slower, and then less comes.
    """
    found: list[Delivery] = []

    def begin(pika: Channel, answer: Json) -> None:
        def arrived(_: Channel, method: spec.Basic.Deliver, properties: Json, body: bytes) -> None:
            found.append(delivery(channel, queue, method, properties, body))

        def end(_: object) -> None:
            pika.basic_cancel(tag, callback=answer)

        # The limit counts for the consumer that begins after it; asking again changes nothing for that one.
        pika.basic_qos(prefetch_count=limit)
        tag = pika.basic_consume(queue, arrived, callback=lambda _: pika.basic_qos(prefetch_count=1, callback=end))

    channel.ask(begin)
    return found


def _fetch(channel: AmqpChannel, queue: str) -> Iterator[Delivery]:
    """Yield the waiting messages of a queue, next one first, until it is empty or missing."""
    while found := _few(channel, queue, 1):
        yield from found


def _few(channel: AmqpChannel, queue: str, limit: int) -> list[Delivery]:
    """Return up to ``limit`` waiting messages of a queue, next one first; none when it is missing.

    One is asked for when the one before is there, all of it in the connection's thread: threads that wake each other
    for every message cost more than the messages do.
    """
    found: list[Delivery] = []

    def begin(pika: Channel, answer: Json) -> None:
        def get() -> None:
            pika.add_callback(empty, [spec.Basic.GetEmpty], one_shot=True)
            pika.basic_get(queue, arrived)

        def arrived(_: Channel, method: spec.Basic.GetOk, properties: Json, body: bytes) -> None:
            pika.callbacks.remove(pika.channel_number, spec.Basic.GetEmpty, empty)
            found.append(delivery(channel, queue, method, properties, body))
            if len(found) < limit:
                get()
            else:
                answer(None)

        def empty(_: object) -> None:
            answer(None)

        get()

    try:
        channel.ask(begin)
    except ChannelClosed as closed:
        if closed.code != _NOT_FOUND:
            raise
    return found
