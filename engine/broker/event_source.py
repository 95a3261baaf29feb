"""A source of messages for event handlers: the port behind which every kind of broker stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.wire.message import Delivery

#: Unacked messages that one source holds.
PREFETCH = 100


class Source(Protocol):
    """Messages of one address; all methods belong to one thread.

    Each raises ``BrokerUnavailable`` when the broker is away. Then whatever was received and is not done comes again,
    and the next ``receive`` opens another connection.
    """

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """Return what has arrived, up to ``limit``; wait for the first message about ``wait_seconds`` at most."""
        ...

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that all that was received by the last call is done with."""
        ...

    def close(self) -> None:
        """Close the connection; what is not done comes again."""
        ...
