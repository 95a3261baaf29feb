"""Queues that the broker does not let us read: polling for one would cost everybody else the connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import Refused

#: Times in a row that the connection was lost over one queue; once or twice it may have been chance.
_MOST_LOSSES = 3

#: Seconds for which nobody polls such a queue then.
_REFUSED_SECONDS = 60.0


class Refusals:
    """Counts for each queue how often the connection was lost just when it was asked for."""

    def __init__(self) -> None:
        self._asked: str | None = None
        self._losses: dict[str, int] = {}
        self._refused: dict[str, float] = {}

    @contextmanager
    def of(self, queue: str) -> Iterator[None]:
        """Ask the broker for a queue; what is raised inside is held against it by ``note``."""
        self._asked = queue
        yield
        self._asked = None
        self._losses.pop(queue, None)

    def note(self) -> None:
        """Take note that the connection was lost."""
        queue, self._asked = self._asked, None
        if queue is None:
            return
        self._losses[queue] = self._losses.get(queue, 0) + 1
        if self._losses[queue] >= _MOST_LOSSES:
            del self._losses[queue]
            self._refused[queue] = time.monotonic() + _REFUSED_SECONDS

    def check(self, queue: str) -> None:
        """Raise ``Refused`` for a queue that is not to be asked for."""
        until = self._refused.get(queue)
        if until is None:
            return
        if until > time.monotonic():
            raise Refused(f"The broker does not let tasks be taken from the queue {queue!r}: is it one of your own?")
        self._refused.pop(queue, None)
