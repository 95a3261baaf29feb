"""Who waits for which queue: one line for each, first come, first served."""

from __future__ import annotations

from collections import OrderedDict
from heapq import heappop, heappush
from itertools import count

from engine.polling.poll import Poll


class Lines:
    """The polls that wait for messages; those whose messages are being asked for do not stand here.

    Nothing is looked through, however many wait: joining, leaving and being served cost the same in a long line.
    """

    def __init__(self) -> None:
        self._lines: dict[str, OrderedDict[Poll, None]] = {}
        self._wanted: dict[str, int] = {}
        #: When each poll has waited long enough, the first on top; those that have left stay until they get there.
        self._ends: list[tuple[float, int, Poll]] = []
        self._number = count()
        #: How many polls stand in all lines.
        self.length = 0

    def join(self, poll: Poll) -> None:
        """Put a poll at the end of its line."""
        self._lines.setdefault(poll.queue, OrderedDict())[poll] = None
        self._wanted[poll.queue] = self._wanted.get(poll.queue, 0) + poll.count
        self.length += 1
        heappush(self._ends, (poll.until, next(self._number), poll))

    def leave(self, poll: Poll) -> bool:
        """Take a poll out of its line; False when it does not stand there."""
        line = self._lines.get(poll.queue)
        if line is None or poll not in line:
            return False
        del line[poll]
        self.length -= 1
        self._wanted[poll.queue] -= poll.count
        if not line:
            del self._lines[poll.queue], self._wanted[poll.queue]
        return True

    def wanted(self, queue: str) -> int:
        """Return how many messages of a queue are waited for."""
        return self._wanted.get(queue, 0)

    def demand(self) -> dict[str, int]:
        """Return how many messages are waited for, of each queue of which any are."""
        return dict(self._wanted)

    def share_out(self, queue: str, messages: int) -> list[Poll]:
        """Return for each of so many messages the poll that gets it, as far as polls wait; those leave the line.

        The first gets as many as it wants before the second gets one: whoever asked for many has the hands for it.
        """
        takers: list[Poll] = []
        while len(takers) < messages and queue in self._lines:
            poll = next(iter(self._lines[queue]))
            self.leave(poll)
            takers += [poll] * min(poll.count, messages - len(takers))
        return takers

    def first_end(self) -> float | None:
        """Return when the first of all polls has waited long enough, None when nobody waits."""
        while self._ends and self._ends[0][2] not in self._lines.get(self._ends[0][2].queue, {}):
            heappop(self._ends)
        return self._ends[0][0] if self._ends else None

    def take_out(self, now: float) -> list[Poll]:
        """Take out and return the polls that have waited long enough."""
        late: list[Poll] = []
        while (end := self.first_end()) is not None and end <= now:
            poll = heappop(self._ends)[2]
            self.leave(poll)
            late.append(poll)
        return late

    def take_all(self) -> list[Poll]:
        """Take out and return every poll."""
        return self.take_out(float("inf"))
