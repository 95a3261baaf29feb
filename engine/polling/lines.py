"""Who waits for which queue: one line for each, first come, first served."""

from __future__ import annotations

from collections import deque

from engine.polling.poll import Poll


class Lines:
    """The polls that wait for messages; those whose messages are being asked for do not stand here."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Poll]] = {}

    def join(self, poll: Poll) -> None:
        """Put a poll at the end of its line."""
        self._lines.setdefault(poll.queue, deque()).append(poll)

    def leave(self, poll: Poll) -> None:
        """Take a poll out of its line, if it stands there."""
        line = self._lines.get(poll.queue)
        if line is not None and poll in line:
            line.remove(poll)
            self._forget_if_empty(poll.queue)

    def wanted(self, queue: str) -> int:
        """Return how many messages of a queue are waited for."""
        return sum(poll.count for poll in self._lines.get(queue, ()))

    def demand(self) -> dict[str, int]:
        """Return how many messages are waited for, of each queue of which any are."""
        return {queue: self.wanted(queue) for queue in self._lines}

    def share_out(self, queue: str, count: int) -> list[Poll]:
        """Return for each of ``count`` messages the poll that gets it, as far as polls wait; those leave the line.

        The first gets as many as it wants before the second gets one: whoever asked for many has the hands for it.
        """
        line, takers = self._lines.get(queue, deque()), list[Poll]()
        while line and len(takers) < count:
            poll = line.popleft()
            takers += [poll] * min(poll.count, count - len(takers))
        self._forget_if_empty(queue)
        return takers

    def first_end(self) -> float | None:
        """Return when the first of all polls has waited long enough, None when nobody waits."""
        return min((poll.until for line in self._lines.values() for poll in line), default=None)

    def take_out(self, now: float) -> list[Poll]:
        """Take out and return the polls that have waited long enough, or that nobody waits for any more."""
        gone = [poll for line in self._lines.values() for poll in line if poll.is_over or poll.until <= now]
        for poll in gone:
            self.leave(poll)
        return gone

    def take_all(self) -> list[Poll]:
        """Take out and return every poll."""
        return self.take_out(float("inf"))

    def _forget_if_empty(self, queue: str) -> None:
        if not self._lines.get(queue, True):
            del self._lines[queue]
