"""What a broker must be able to do; RabbitMQ, kombu's transports and the in-memory broker all pass one suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.wire.message import Delivery, Message


class Broker(Protocol):
    """One connection to a broker, used by one road; all methods but ``interrupt`` belong to one thread.

    Every method raises ``BrokerUnavailable`` when the connection is lost. After that, ``reconnect`` starts afresh:
    unacked deliveries are void and will be delivered again.
    """

    def reconnect(self) -> None:
        """Open (or reopen) the connection, declare the engine's queues, and resume what was consumed before."""
        ...

    def declare_partitions(self, count: int) -> None:
        """Declare the events queues ``baton.events.0`` to ``count - 1``."""
        ...

    def declare_replies(self, queue: str) -> None:
        """Declare a queue for answers to our own requests; it vanishes with this connection and returns with it."""
        ...

    def consume(self, queue: str, prefetch: int) -> None:
        """Start taking messages from ``queue``, at most ``prefetch`` of them unacked at a time."""
        ...

    def cancel(self, queue: str) -> None:
        """Stop taking messages from ``queue``; what was delivered but not yet received goes back to the queue."""
        ...

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """Return what has arrived, up to ``limit``; wait for the first message at most ``wait_seconds``.

        Returns at once when anything is there: a batch is what has arrived meanwhile.
        """
        ...

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish and return once the broker has confirmed every message; missing task queues are declared."""
        ...

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these deliveries are done with."""
        ...

    def reject(self, deliveries: Sequence[Delivery]) -> None:
        """Put these deliveries back into their queues."""
        ...

    def ready(self, queue: str) -> int | None:
        """Return how many messages wait in ``queue`` undelivered, or None when there is no such queue."""
        ...

    def interrupt(self) -> None:
        """Make a ``receive`` that waits in another thread return at once (used at shutdown)."""
        ...

    def close(self) -> None:
        """Close the connection; unacked deliveries go back to their queues."""
        ...


#: Opens a broker connection; each service opens its own.
OpenBroker = Callable[[], Broker]
