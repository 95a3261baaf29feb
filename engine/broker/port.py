"""What a broker must be able to do; RabbitMQ, kombu's transports and the in-memory broker all pass one suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.errors import Permanent
from engine.wire.message import STATUS_EXCHANGE, Delivery, Message


class Unsendable(Permanent):
    """Messages that the broker will never take: too large, or with an address or headers it cannot carry.

    ``faults`` holds each with the reason, in the order given to ``publish``. Every other message of that call has
    been published and confirmed.
    """

    def __init__(self, faults: Sequence[tuple[Message, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"Message for {message.queue!r}: {reason}" for message, reason in self.faults))


class Broker(Protocol):
    """One connection to a broker, used by one road; all methods but ``interrupt`` belong to one thread.

    The first call opens the connection. Every method raises ``BrokerUnavailable`` when it cannot be opened or is
    lost. After that, ``reconnect`` starts afresh: unacked deliveries are void and will be delivered again, and acking
    them does nothing.
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
        """Start taking messages from ``queue``, at most ``prefetch`` of them unacked at a time.

        A missing queue is declared; one that is deleted later is declared again and consumed on.
        """
        ...

    def subscribe(self, pattern: str, queue: str, exchange: str = STATUS_EXCHANGE) -> None:
        """Collect in ``queue`` the status messages whose routing key matches ``pattern`` (``*`` one word, ``#`` any).

        ``exchange`` is one of ``topology.EXCHANGES``; on Celery's control exchange every pattern matches everything.
        The queue is declared as this connection's own, keeps the newest 10,000 messages, vanishes with the connection
        and returns with it; several patterns may feed one queue. Read it with ``consume`` and ``receive``.
        """
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
        """Publish and return once the broker has confirmed every message; missing queues are declared.

        A message for a missing reply queue, or a transient one for any missing queue, is dropped: its reader has gone.
        Raises ``Unsendable``, after publishing all others, for messages that the broker will never take.
        """
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

    def consumers(self, queue: str) -> int | None:
        """Return how many consume from ``queue``, with a single active consumer 0 or more than 0.

        None when there is no such queue, or when this broker cannot tell.
        """
        ...

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        """Return up to ``limit`` waiting messages, next one first, and leave them where they are.

        They cannot be acked. For queues without a single active consumer, such as ``baton.dead``; empty when there is
        no such queue. Meanwhile no one else can take these messages.
        """
        ...

    def take(self, queue: str, letter: str) -> Delivery | None:
        """Return the waiting message whose ``dead_letter.letter_id`` is ``letter``, or None.

        It is ours until acked or rejected, so it can be published elsewhere before it leaves this queue.
        """
        ...

    def fetch(self, queue: str, limit: int) -> list[Delivery]:
        """Take up to ``limit`` messages that wait now, next one first, without waiting for more.

        They are ours until acked or rejected. For queues without a single active consumer; empty when there is no such
        queue.
        """
        ...

    def interrupt(self) -> None:
        """Make a ``receive`` that waits in another thread, or else the next one, return at once (used at shutdown)."""
        ...

    def close(self) -> None:
        """Close the connection; unacked deliveries go back to their queues."""
        ...


class Census(Protocol):
    """Counts what a broker holds, in a way that differs from broker to broker."""

    #: After no answer it is not to be asked again for so long.
    unanswered_seconds: float

    def totals(self) -> dict[str, int]:
        """Return the messages of each queue, ready and unacked together; queues that were not counted are left out.

        Raises ``BrokerUnavailable`` when there is no answer.
        """
        ...


#: Opens a broker connection; each service opens its own.
OpenBroker = Callable[[], Broker]
