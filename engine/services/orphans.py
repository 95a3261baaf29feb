"""Partitions whose decider has died: looked after at once, while their leases still run."""

from __future__ import annotations

from collections.abc import Collection

from engine.broker.port import Broker
from engine.clock import Instant, after
from engine.wire.message import events_queue

#: Seconds for which a partition has to be seen without a consumer. A decider that has just got a partition is there
#: sooner than that; together with a look each second it makes fail-over a matter of two to three.
_UNATTENDED_SECONDS = 1.0

#: Partitions that one look asks the broker about, one question each; of more, each look takes others in turn.
_MOST_AT_ONCE = 64


class Orphans:
    """Notices that nobody consumes a partition although somebody else holds its lease.

    The broker knows at once that a process has died, the database only when the lease has run out. Until then whoever
    notices consumes the partition too; by then it has been shared out again. Several may notice: the broker gives a
    partition to one of them at a time.
    """

    def __init__(self, broker: Broker, lease_seconds: float) -> None:
        self._broker = broker
        self._lease_seconds = lease_seconds
        self._turn = 0
        self._unattended_since: dict[int, Instant] = {}
        self._until: dict[int, Instant] = {}

    def look(self, others: Collection[int], now: Instant) -> frozenset[int]:
        """Return which of these partitions, whose leases others hold, are to be consumed here all the same.

        Raises ``BrokerUnavailable``.
        """
        self._until = {number: until for number, until in self._until.items() if number in others and until > now}
        for number in self._next(sorted(set(others) - self._until.keys())):
            if self._broker.consumers(events_queue(number)) == 0:
                since = self._unattended_since.setdefault(number, now)
                if now >= after(since, _UNATTENDED_SECONDS):
                    self._until[number] = after(now, self._lease_seconds)
            else:
                self._unattended_since.pop(number, None)
        self._unattended_since = {
            number: since
            for number, since in self._unattended_since.items()
            if number in others and number not in self._until
        }
        return frozenset(self._until)

    def start_over(self) -> None:
        """Forget what was seen: after a lost line others may be about to come back too."""
        self._unattended_since.clear()

    def _next(self, partitions: list[int]) -> list[int]:
        rounds = -(-len(partitions) // _MOST_AT_ONCE) or 1
        self._turn += 1
        return partitions[self._turn % rounds :: rounds]
