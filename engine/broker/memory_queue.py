"""One queue of the in-memory broker: what waits in it, in the order of delivery."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from engine.broker import topology
from engine.wire.message import Message


class Consumer(Protocol):
    """Whoever takes messages from a queue."""

    def wake(self, queue: MemoryQueue) -> bool:
        """Look at a queue in which something waits; False if it can take nothing now. The caller holds the lock."""
        ...


class Entry:
    """A message in a queue, or on loan from it."""

    __slots__ = ("message", "queue", "redelivered")

    def __init__(self, message: Message, queue: MemoryQueue, *, redelivered: bool = False) -> None:
        self.message = message
        self.queue = queue
        self.redelivered = redelivered


class MemoryQueue:
    """Messages in the order of their delivery: urgent ones first, then first in, first out."""

    def __init__(self, declared: topology.Queue, owner: Consumer | None) -> None:
        self.declared = declared
        self.owner = owner
        self.consumers: list[Consumer] = []
        self.length = 0
        self._limit: int | None = declared.arguments.get("x-max-length")
        self._levels: list[deque[Entry]] = [deque() for _ in range(10 if declared.priorities else 1)]
        # Bit n is set while level n holds something, so that the most urgent level is found without looking at all.
        self._occupied = 0

    def _level(self, entry: Entry) -> int:
        return min(max(entry.message.priority, 0), len(self._levels) - 1)

    def put(self, message: Message) -> None:
        """Add a message at the end of its level; a full queue loses its oldest one."""
        if self._limit is not None and self.length >= self._limit:
            self.pop()
        entry = Entry(message, self)
        level = self._level(entry)
        self._levels[level].append(entry)
        self._occupied |= 1 << level
        self.length += 1

    def put_back(self, entry: Entry) -> None:
        """Return an entry to the front of its level, as a new one: the receipt of the old delivery is void."""
        level = self._level(entry)
        self._levels[level].appendleft(Entry(entry.message, self, redelivered=True))
        self._occupied |= 1 << level
        self.length += 1

    def pop(self) -> Entry:
        """Remove and return the next entry; the queue must not be empty."""
        level = self._occupied.bit_length() - 1
        entries = self._levels[level]
        entry = entries.popleft()
        if not entries:
            self._occupied &= ~(1 << level)
        self.length -= 1
        return entry

    def entries(self) -> Iterable[Entry]:
        """Yield what waits, in the order of delivery."""
        for entries in reversed(self._levels):
            yield from entries

    def remove(self, entry: Entry) -> None:
        """Remove an entry from the middle."""
        level = self._level(entry)
        self._levels[level].remove(entry)
        if not self._levels[level]:
            self._occupied &= ~(1 << level)
        self.length -= 1

    def call(self) -> None:
        """Let one consumer look, which calls the next where it leaves something; the caller holds the lock.

        Not all of them at once: a thread that wakes for nothing costs as much as a small task.
        """
        if self.length:
            in_line = self.consumers[:1] if self.declared.single_active_consumer else self.consumers
            next((each for each in in_line if each.wake(self)), None)

    def serves(self, consumer: Consumer) -> bool:
        """Return whether this consumer may have what waits here."""
        return bool(self.length) and (not self.declared.single_active_consumer or self.consumers[0] is consumer)
