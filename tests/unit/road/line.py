"""The road's line to the broker under a test's control: it can be cut just before the broker takes a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engine.errors import BrokerUnavailable
from engine.testing.harness import Harness
from engine.wire.message import Message


class Line:
    """Notes what the road publishes; ``cut`` loses the line once, after the commit and before the confirm."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._publish = harness.road.publish
        self._pass_on = -1
        #: What the road has published or tried to, batch by batch.
        self.batches: list[list[Message]] = []
        harness.road.publish = self._carry  # type: ignore[method-assign]

    def _carry(self, messages: Sequence[Message]) -> None:
        self.batches.append(list(messages))
        if self._pass_on == 0:
            self._pass_on = -1
            raise BrokerUnavailable("the line was cut before the confirm")
        self._pass_on -= 1
        self._publish(messages)

    @contextmanager
    def cut(self, after: int = 0) -> Iterator[None]:
        """Lose the line at the publication after the next ``after`` ones; then it is restored and the road goes on."""
        self._pass_on = after
        del self.batches[:]
        try:
            yield
        except BrokerUnavailable:
            self._harness.road.reconnect()
            self._harness.carry()
        else:
            raise AssertionError("nothing was published, so nothing could be lost")
