"""The rescuer: notices when the broker has lost its data, when task queues have run empty, and slots left lying.

Two kinds of evidence, and nothing else, make open tasks be published again (invariant I4): the marker, a message of
our own in a durable queue, is gone; so the broker has lost what it held. And for the silence rule it records when
each task queue was last seen without ready messages: from then on a task that was handed out and never heard of is
timed. A long backlog is neither.

Slots of limited tasks are exchanged with the rows of their tasks and announced by the road, so nothing should be left
lying. What is all the same (a run was removed by hand, a message is gone) is put right here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.broker.port import Broker
from engine.broker.topology import MARKER_QUEUE
from engine.clock import Clock, Instant, SystemClock, after
from engine.config import Settings
from engine.log import get_logger
from engine.model.event import Wake
from engine.services.opening import new_broker, partitions_of
from engine.slots import news_of
from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.port import Store, Transaction
from engine.wire.message import Message
from engine.wire.request_message import encode_slot_news, encode_wake

log = get_logger(__name__)

#: The name under which the database knows that the marker was placed.
_PLACED = "marker"

#: Runs that are woken with one publication.
_PAGE = 500

#: Seconds after which a grant that its task has not taken up is announced again; the message takes milliseconds.
_UNSENT_SECONDS = 10.0


class Rescuer:
    """One look at a time; the timekeeper's process calls it."""

    def __init__(
        self, store: Store, broker: Broker, clock: Clock, partitions: int, *, workers_die_with_us: bool = False
    ) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._partitions = partitions
        self._workers_die_with_us = workers_die_with_us
        #: Queues that were empty at the last look, with its moment.
        self._empty: dict[str, Instant] = {}

    def look(self) -> int:
        """Look once; return how many runs were asked to publish their open tasks again."""
        rescued = self._rescue_if_lost()
        self._watch_queues()
        self._mend_slots()
        with self._store.transaction() as transaction:
            transaction.forget_results(self._clock.now())
        return rescued

    def rescue(self, *, workers_lost: bool) -> int:
        """Ask every run that may have lost something to publish it again; return how many were asked.

        With ``workers_lost`` they also publish the tasks that somebody was working on: nobody will answer for those.
        """
        now, count = self._clock.now(), 0
        for page in self._runs_to_rescue():
            wakes = [
                Wake(event_id=f"{identity}/resend/{now}", workflow_id=identity, resend=True, workers_lost=workers_lost)
                for identity in page
            ]
            self._broker.publish([encode_wake(wake, self._partitions) for wake in wakes])
            count += len(page)
        # Only now, so that a crash before makes the next look find the evidence again.
        self._place_marker()
        return count

    def _rescue_if_lost(self) -> int:
        if self._broker.ready(MARKER_QUEUE):
            return 0
        with self._store.transaction() as transaction:
            placed = transaction.setting(_PLACED)
        if placed is None:
            self._place_marker()
            return 0
        log.error("broker.lost_its_data", evidence=f"the marker in {MARKER_QUEUE} is gone")
        rescued = self.rescue(workers_lost=self._workers_die_with_us)
        log.warning("workflows.rescued", count=rescued)
        return rescued

    def _place_marker(self) -> None:
        # The database first: a crash in between costs a rescue too many, while the loss of a marker that the database
        # does not know goes unnoticed.
        with self._store.transaction() as transaction:
            transaction.put_setting(_PLACED, "placed")
        if not self._broker.ready(MARKER_QUEUE):
            self._broker.publish([Message(queue=MARKER_QUEUE, body=b'{"marker": true}')])

    def _runs_to_rescue(self) -> Iterator[tuple[str, ...]]:
        """Yield page by page the open runs, then failed ones whose failure workflow has not begun."""
        yield from self._pages(lambda transaction, after: transaction.open_workflow_ids(after, _PAGE))
        yield from self._pages(lambda transaction, after: transaction.unstarted_failure_workflows(after, _PAGE))

    def _pages(self, read: Callable[[Transaction, str], tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
        last = ""
        while True:
            with self._store.transaction() as transaction:
                page = read(transaction, last)
            if not page:
                return
            yield page
            last = page[-1]

    def _mend_slots(self) -> None:
        with self._store.transaction() as transaction:
            strays = transaction.mend_slots()
            unsent = transaction.unsent_grants(None, after(self._clock.now(), -_UNSENT_SECONDS))
        if strays:
            log.warning("slots.taken_back", count=strays)
        if unsent:
            log.warning("slots.announced_again", count=len(unsent))
            self._broker.publish([encode_slot_news(news, self._partitions) for news in news_of(unsent)])

    def _watch_queues(self) -> None:
        with self._store.transaction() as transaction:
            names = transaction.queue_names()
        empty: dict[str, Instant] = {}
        for name in names:
            now = self._clock.now()
            if self._broker.ready(name) == 0:
                empty[name] = now
        # A task is published a little after the decision that names its moment. So one look is no evidence; two in a
        # row are, for tasks decided upon before the first: they had been published by the second, and were taken.
        moments = {name: self._empty[name] for name in empty if name in self._empty}
        self._empty = empty
        if moments:
            with self._store.transaction() as transaction:
                transaction.saw_empty(moments)


def rescue_all(settings: Settings, *, workers_lost: bool) -> int:
    """Rescue on database and broker of these settings, the tables brought up to date first; return how many runs.

    Raises ``StoreUnavailable`` or ``BrokerUnavailable`` when one of them is away.
    """
    migrate(settings.database_url)
    store, broker = open_store(settings.database_url, pool_size=1), new_broker(settings)
    try:
        partitions = partitions_of(store, settings)
        broker.declare_partitions(partitions)
        return Rescuer(store, broker, SystemClock(), partitions).rescue(workers_lost=workers_lost)
    finally:
        broker.close()
        store.close()
