"""The decider and the starter: two feeds of one road.

A decider owns a share of the partitions and takes a few start messages beside them; a starter takes nothing but start
messages, so that a storm of starts never delays running workflows. Owning a partition is for speed: which decider
saves is settled by the rows' version numbers, so that two owners for a moment do no harm.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from engine.broker.port import Broker
from engine.clock import Clock, Instant, SystemClock, after
from engine.config import Settings
from engine.errors import Transient
from engine.executor import Executor
from engine.identifier import new_id
from engine.log import get_logger
from engine.services.allocation import give_back_large_blocks
from engine.services.opening import new_broker, partitions_of, ready_store
from engine.services.orphans import Orphans
from engine.services.presence import Presence
from engine.services.quarantine import Portion, Quarantine
from engine.services.stopping import Stop, carry_on, heeding_signals
from engine.services.sweeping import sweep_seldom
from engine.services.watchdog import Watchdog
from engine.store.port import Store
from engine.wire.dead_letter import bury
from engine.wire.message import START_QUEUE, Delivery, events_queue

log = get_logger(__name__)

#: Start messages that a decider holds at a time beside its partitions; more would let starts delay running workflows.
_STARTS_BESIDE = 25

#: Longest wait for messages before the loop looks around, seconds; stopping and new messages cut it short.
_LOOK_AROUND_SECONDS = 1.0

#: Pause between two looks at the leases while no other decider has any: so long a newcomer may wait for its share.
_ALONE_SECONDS = 5.0


class RoadService:
    """Keeps a road supplied: takes batches from the broker until told to stop."""

    def __init__(self, store: Store, broker: Broker, settings: Settings, stop: Stop, *, clock: Clock, starter: bool):
        self._store = store
        self._broker = broker
        self._settings = settings
        self._stop = stop
        self._clock = clock
        self._starter = starter
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{new_id()[-6:]}"
        self._quarantine = Quarantine(store, clock, self._owner)
        self._held: list[Delivery] = []
        self._owned: tuple[int, ...] = ()
        self._orphans = Orphans(broker, settings.lease_seconds)
        #: False while what is consumed may be other than what is owned.
        self._settled = True
        self._look_again = Instant(0)
        self._partitions = 0
        self.executor: Executor | None = None
        #: What each batch is carried in: a watchdog, in processes that are nothing but a decider or starter.
        self.watching: Callable[[], AbstractContextManager[None]] = nullcontext
        stop.also(broker.interrupt)

    def run(self) -> None:
        """Carry batches until stopped; what is away is waited for."""
        carry_on(self._turn, self._broker, self._stop, lost=self._lose_what_is_held)
        self._leave()

    def _turn(self) -> None:
        """Carry what is held; if that is nothing, see to the partitions and take what has arrived."""
        executor = self._ready()
        # What is held is done before partitions change hands: news of a run must not overtake older news.
        if not self._held:
            self._share_now_and_then(executor)
            self._held = self._broker.receive(self._settings.batch_size, _LOOK_AROUND_SECONDS)
        self._handle(executor, self._held)

    def _lose_what_is_held(self) -> None:
        """Forget unacked deliveries: they come again by themselves, to whoever is connected then."""
        self._held = []
        self._quarantine.let_all_go()
        self._orphans.start_over()

    def _ready(self) -> Executor:
        """Return the road, once store and broker are there."""
        if self.executor is None:
            self._partitions = partitions_of(self._store, self._settings)
            self._broker.declare_partitions(self._partitions)
            starts = self._settings.prefetch if self._starter else _STARTS_BESIDE
            self._broker.consume(START_QUEUE, starts)
            self.executor = Executor(self._store, self._broker, self._clock, self._settings, self._partitions)
            log.info("service.ready", owner=self._owner, partitions=self._partitions, starter=self._starter)
        return self.executor

    def _handle(self, executor: Executor, held: list[Delivery]) -> None:
        """Carry what is held, which is taken off as it is done; what has killed processes goes alone, or is set aside.

        The road answers for runs that it cannot decide or store. Should it fail in a way that it does not know, it is
        given one delivery after the other, and the one that makes it fail is buried: it must not stop all others (I5).
        """
        for portion in self._quarantine.portions(held):
            self._quarantine.take(portion)
            if portion.deaths >= self._settings.crash_limit:
                with self.watching():
                    self._set_aside(executor, portion)
                del held[0]
            else:
                for count in by_size(portion.deliveries, self._settings.batch_bytes):
                    with self.watching():
                        self._carry(executor, held, count)
            self._quarantine.let_go(portion)

    def _carry(self, executor: Executor, held: list[Delivery], count: int) -> None:
        """Carry the first ``count`` of what is held."""
        batch, left = held[:count], len(held) - count
        try:
            executor.handle(batch)
        except Transient:
            raise
        except Exception:
            log.exception("batch.failed", deliveries=count)
            executor.forget()
        else:
            del held[:count]
        while len(held) > left:
            self._handle_alone(executor, held[0])
            del held[0]

    def _set_aside(self, executor: Executor, portion: Portion) -> None:
        """End what a deadly message is about; when even that has killed a process, only bury the message."""
        (delivery,) = portion.deliveries
        reason = (
            f"{portion.deaths} processes died with this message in hand, one after the other: it makes them crash, "
            "hang or run out of memory. Their last words are in their logs; mend the cause before it is sent again"
        )
        log.error("message.deadly", queue=delivery.queue, deaths=portion.deaths, message=portion.digests[0])
        if portion.deaths > self._settings.crash_limit:
            self._bury(delivery, f"{reason}. Its workflow could not be ended either")
        else:
            executor.set_aside(delivery, reason)

    def _handle_alone(self, executor: Executor, delivery: Delivery) -> None:
        try:
            executor.handle([delivery])
        except Transient:
            raise
        except Exception as error:
            log.exception("message.buried", queue=delivery.queue)
            self._bury(delivery, f"The decider failed on it: {type(error).__name__}: {error}")

    def _bury(self, delivery: Delivery, reason: str) -> None:
        self._broker.publish([bury(delivery, reason, self._clock.now())])
        self._broker.ack([delivery])

    def _share_now_and_then(self, executor: Executor) -> None:
        if not self._starter and self._clock.now() >= self._look_again:
            self._share(executor)

    def _share(self, executor: Executor) -> None:
        """Renew the leases, take partitions that nobody has, leave those beyond the fair share, look after orphans.

        Whoever has all partitions looks seldom: it has nobody to stand in for.
        When the broker goes away in the middle, all of it is done again, whatever the share is by then: some of what
        was owned is no longer consumed, and some of what is another's is.
        """
        now = self._clock.now()
        lease = self._settings.lease_seconds
        with self._store.transaction() as transaction:
            leased = transaction.share_leases(self._owner, now, lease, self._partitions)
        mine = sorted({*leased, *self._orphans.look(set(range(self._partitions)) - set(leased), now)})
        gained, lost = set(mine) - set(self._owned), set(self._owned) - set(mine)
        if gained or lost or not self._settled:
            self._settled = False
            # What is at hand of a partition that was another's is old: a run that began here, by a start message, has
            # moved on there.
            executor.forget()
            for partition in sorted(set(range(self._partitions)) - set(mine)):
                self._broker.cancel(events_queue(partition))
            for partition in mine:
                self._broker.consume(events_queue(partition), self._prefetch_of_each(len(mine)))
            log.info("partitions.shared", owned=len(mine), gained=sorted(gained), lost=sorted(lost))
            self._settled = True
        self._owned = tuple(mine)
        alone = len(mine) == self._partitions
        self._look_again = after(now, min(lease / 3, _ALONE_SECONDS if alone else _LOOK_AROUND_SECONDS))

    def _prefetch_of_each(self, partitions: int) -> int:
        """Return the prefetch of one partition: an equal part, but never less than one busy run fills a batch with."""
        return max(self._settings.batch_size, -(-self._settings.prefetch // partitions))

    def _leave(self) -> None:
        """Give the partitions back: what they hold goes to others at once."""
        self._quarantine.let_all_go()
        if self._owned:
            try:
                with self._store.transaction() as transaction:
                    transaction.release_leases(self._owner)
            except Transient as error:
                log.warning("leases.kept", reason=str(error), expires_in_seconds=self._settings.lease_seconds)


def by_size(deliveries: Sequence[Delivery], most_bytes: int) -> Iterator[int]:
    """Yield how many deliveries to carry at a time, so that each time has no more than ``most_bytes``, or is one."""
    count = size = 0
    for delivery in deliveries:
        length = len(delivery.message.body)
        if count and size + length > most_bytes:
            yield count
            count = size = 0
        count += 1
        size += length
    if count:
        yield count


def run(settings: Settings, *, starter: bool = False) -> int:
    """Run a decider (or a starter) until SIGTERM; return the exit code."""
    stop = heeding_signals(settings)
    store = ready_store(settings, stop)
    if store is None:
        return 0
    with Presence(store, settings, "starter" if starter else "decider", stop) as presence:
        watchdog = Watchdog(settings.stuck_seconds)
        road = RoadService(store, new_broker(settings), settings, stop, clock=SystemClock(), starter=starter)
        road.watching = watchdog.watching
        sweep_seldom()
        give_back_large_blocks()
        with watchdog.on_duty():
            road.run()
    store.close()
    log.info("service.stopped")
    return presence.exit_code
