"""Looks for tasks whose messages have gone although the broker has kept its data: a queue was purged or deleted.

A task is SCHEDULED from its publication until the engine hears of it. In between its message is in the queue, with a
worker, or its result is in an events queue on the way here. Where the database has more such tasks of a queue than all
these places hold messages, twice in a row, the others are lost and are published again (invariant I4).

RabbitMQ counts seconds late, and a task is published a little after the decision that names its moment. So only tasks
that have been SCHEDULED for some time are looked at. A worker that acks before it works and says nothing looks like a
loss; so each further publication of a task waits three times as long as the one before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from engine.broker.port import Broker, Census
from engine.clock import Clock, Instant, after
from engine.errors import BrokerUnavailable
from engine.log import get_logger
from engine.model.event import Wake
from engine.store.port import Store
from engine.wire.message import events_queue
from engine.wire.request_message import encode_wake

log = get_logger(__name__)

#: A task that has been SCHEDULED for as many intervals is in its queue, and RabbitMQ has counted it there.
_INTERVALS = 6

#: The pause after a look is so many times what the look has cost the database: it reads every open task.
_REST = 20

#: Runs that are woken with one publication.
_PAGE = 500


class LostTasks:
    """One look at a time; the timekeeper's process calls it. ``interval_seconds`` is the shortest pause."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        census: Census,
        clock: Clock,
        partitions: int,
        interval_seconds: float,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._broker = broker
        self._census = census
        self._clock = clock
        self._partitions = partitions
        self._interval = interval_seconds
        self._stopwatch = stopwatch
        self._next = Instant(0)
        #: Queues that lacked messages at the last look.
        self._lacking: set[str] = set()

    def look(self) -> int:
        """Look, if it is time to; return how many runs were asked to publish tasks again."""
        now = self._clock.now()
        if now < self._next:
            return 0
        began = self._stopwatch()
        before = after(now, -_INTERVALS * self._interval)
        with self._store.transaction() as transaction:
            scheduled = transaction.scheduled_tasks(before)
        self._next = after(now, max(self._interval, _REST * (self._stopwatch() - began)))
        lacking = self._without_messages(scheduled) if scheduled else {}
        again = self._lacking & lacking.keys()
        self._lacking = set(lacking) - again
        return sum(self._send_again(queue, lacking[queue], before) for queue in sorted(again))

    def _without_messages(self, scheduled: dict[str, int]) -> dict[str, int]:
        """Return how many messages each queue lacks at least; results that nobody has read yet may explain some."""
        try:
            totals = self._census.totals()
        except BrokerUnavailable as error:
            log.warning(
                "lost_tasks.not_looked_for", reason=str(error), again_in_seconds=self._census.unanswered_seconds
            )
            self._next = after(self._clock.now(), max(self._interval, self._census.unanswered_seconds))
            return {}
        on_the_way = sum(totals.get(events_queue(number), 0) for number in range(self._partitions))
        missing = {queue: count - totals.get(queue, 0) - on_the_way for queue, count in scheduled.items()}
        return {queue: count for queue, count in missing.items() if count > 0}

    def _send_again(self, queue: str, lacking: int, before: Instant) -> int:
        log.error("queue.lost_messages", queue=queue, at_least=lacking)
        now, count = self._clock.now(), 0
        for page in self._runs(queue, before):
            wakes = [
                Wake(event_id=f"{identity}/{queue}/{now}", workflow_id=identity, lost_queue=queue) for identity in page
            ]
            self._broker.publish([encode_wake(wake, self._partitions) for wake in wakes])
            count += len(page)
        log.warning("workflows.rescued", count=count, queue=queue)
        return count

    def _runs(self, queue: str, before: Instant) -> Iterator[tuple[str, ...]]:
        last = ""
        while True:
            with self._store.transaction() as transaction:
                page = transaction.runs_scheduled_in(queue, before, last, _PAGE)
            if not page:
                return
            yield page
            last = page[-1]
