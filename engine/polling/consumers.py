"""Which queues are consumed for polls that wait: never more messages than are waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from engine.broker.port import Broker
from engine.errors import BrokerUnavailable
from engine.polling.refusals import Refusals
from engine.wire.message import Delivery


class Consumers:
    """The consumers of one connection, and what of theirs is in hand: the broker counts it among the prefetched."""

    def __init__(self, broker: Broker, refusals: Refusals) -> None:
        self._broker = broker
        self._refusals = refusals
        self._prefetch: dict[str, int] = {}
        #: The receipts of what is in hand, by queue.
        self._in_hand: dict[str, list[object]] = {}

    def consumes(self, queue: str) -> bool:
        """Whether messages of a queue come by themselves."""
        return queue in self._prefetch

    def adjust(self, wanted: Mapping[str, int]) -> None:
        """Consume from the queues that are waited for, as many messages as are waited for, and from no others."""
        for queue in [queue for queue in self._prefetch if queue not in wanted]:
            del self._prefetch[queue]
            self._broker.cancel(queue)
        for queue, count in wanted.items():
            prefetch = count + len(self._in_hand.get(queue, ()))
            if self._prefetch.get(queue) != prefetch:
                self._prefetch[queue] = prefetch
                with self._refusals.of(queue):
                    self._broker.consume(queue, prefetch)

    def took(self, deliveries: Sequence[Delivery]) -> None:
        """Note that messages have come by themselves and are in hand."""
        for delivery in deliveries:
            self._in_hand.setdefault(delivery.queue, []).append(delivery.receipt)

    def settled(self, deliveries: Sequence[Delivery]) -> None:
        """Note that messages are no longer in hand, whichever way they came."""
        for delivery in deliveries:
            held = self._in_hand.get(delivery.queue, [])
            if delivery.receipt in held:
                held.remove(delivery.receipt)
            if not held:
                self._in_hand.pop(delivery.queue, None)

    def forget(self) -> None:
        """Consume nothing any more: on a connection that is lost, and once it is made anew."""
        for queue in self._prefetch:
            with suppress(BrokerUnavailable):
                self._broker.cancel(queue)
        self._prefetch.clear()
        self._in_hand.clear()
