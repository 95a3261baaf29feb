"""The timekeeper: wakes every run and limit whose date has come; scheduler, rescuer and cleaner look in between.

It decides nothing. A date is a column; ringing leases the row for some seconds and sends a wake-up to the run's
partition. A wake-up that is lost rings again when the lease has passed. Several timekeepers share the work by locks.
The archivist works beside it, in a thread.

It sleeps until the next date. A decider that writes a nearer one says so by a message; one that is lost is made good
by a look every few seconds.
"""

from __future__ import annotations

from engine.broker.opening import open_census
from engine.broker.port import Broker
from engine.broker.topology import REPLY_PREFIX
from engine.clock import SECOND, Clock, Instant, SystemClock, after
from engine.config import Settings
from engine.errors import BadMessage
from engine.identifier import new_id
from engine.log import get_logger
from engine.model.event import Wake
from engine.services.archivist import archivist_beside
from engine.services.cleaner import Cleaner
from engine.services.lost_tasks import LostTasks
from engine.services.opening import new_broker, partitions_of, ready_store
from engine.services.presence import Presence
from engine.services.rescuer import Rescuer
from engine.services.scheduler import Scheduler
from engine.services.stopping import Stop, carry_on, heeding_signals
from engine.slots import ask_again
from engine.store.port import Store
from engine.wire.message import Delivery, Message
from engine.wire.nearer import NEARER_KEY, decode_nearer
from engine.wire.request_message import encode_slot_news, encode_wake

log = get_logger(__name__)

#: Runs that are rung with one statement and one publication.
_MOST_AT_ONCE = 500

#: Seconds; what is due within it is rung together.
_SHORTEST_PAUSE = 0.001


class Timekeeper:
    """Rings until told to stop."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        settings: Settings,
        stop: Stop,
        *,
        clock: Clock,
        workers_die_with_us: bool = False,
    ) -> None:
        self._store = store
        self._broker = broker
        self._settings = settings
        self._stop = stop
        self._clock = clock
        self._workers_die_with_us = workers_die_with_us
        self._rescuer: Rescuer | None = None
        self._lost_tasks: LostTasks | None = None
        self._scheduler: Scheduler | None = None
        self._cleaner: Cleaner | None = None
        self._next_chores = Instant(0)
        #: How long the chores took the last time, seconds.
        self._chores_took = 0.0
        self._announcements = f"{REPLY_PREFIX}dates.{new_id()}"
        self._partitions = 0
        #: What was rung in the database and has not been confirmed by the broker yet.
        self._unsent: list[Message] = []
        stop.also(broker.interrupt)

    def run(self) -> None:
        """Ring what is due, sleep until the next date, until stopped; what is away is waited for."""
        carry_on(self._turn, self._broker, self._stop)

    def _turn(self) -> None:
        """Ring what is due, see to the other chores when there is time for them, and sleep until something is due."""
        if self._rescuer is None:
            self._begin()
        # A broker that was away meanwhile costs no lease.
        self._send()
        now = self._clock.now()
        pause = self._ring(now, self._scheduler.look() if self._scheduler is not None else None)
        if self._has_time_for_chores(now, pause):
            self._do_chores(now)
        elif pause:
            self._rest(pause)

    def _begin(self) -> None:
        """Make what the work needs, once store and broker are there."""
        self._partitions = partitions_of(self._store, self._settings)
        self._broker.declare_partitions(self._partitions)
        self._broker.subscribe(NEARER_KEY, self._announcements)
        self._broker.consume(self._announcements, _MOST_AT_ONCE)
        self._rescuer = Rescuer(
            self._store,
            self._broker,
            self._clock,
            self._partitions,
            workers_die_with_us=self._workers_die_with_us,
        )
        self._lost_tasks = self._look_for_lost_tasks()
        self._cleaner = Cleaner(self._store, self._broker, self._clock, self._settings, self._partitions)
        self._scheduler = Scheduler(self._store, self._broker, self._clock, self._settings, self._partitions)
        log.info("service.ready", partitions=self._partitions)

    def _has_time_for_chores(self, now: Instant, pause: float) -> bool:
        """True when chores are to be done and would make no date late, or have been put off for long enough."""
        if now < self._next_chores:
            return False
        put_off_until = after(self._next_chores, self._settings.rescuer_interval_seconds)
        return pause > self._chores_took or now >= put_off_until

    def _do_chores(self, now: Instant) -> None:
        """Let rescuer and cleaner look."""
        if self._rescuer is not None:
            self._rescuer.look()
        if self._lost_tasks is not None:
            self._lost_tasks.look()
        if self._cleaner is not None:
            self._cleaner.look()
        self._chores_took = (self._clock.now() - now) / SECOND
        self._next_chores = after(now, self._settings.rescuer_interval_seconds)

    def _rest(self, seconds: float) -> None:
        """Sleep, but not beyond a nearer date that a decider announces."""
        until = after(self._clock.now(), seconds)
        while not self._stop.wanted():
            left = (until - self._clock.now()) / SECOND
            heard = self._broker.receive(_MOST_AT_ONCE, left) if left > 0 else []
            if not heard:
                return
            self._broker.ack(heard)
            until = min(until, *(self._announced(each) for each in heard))

    def _announced(self, delivery: Delivery) -> Instant:
        try:
            return decode_nearer(delivery)
        except BadMessage as error:
            log.warning("timekeeper.misheard", reason=str(error))
            return self._clock.now()

    def _look_for_lost_tasks(self) -> LostTasks | None:
        """Return who looks for tasks that their queues have lost, where it can be told what queues hold."""
        settings = self._settings
        census = open_census(settings.broker_url, settings.management_url)
        if census is None:
            return None
        interval = settings.rescuer_interval_seconds
        return LostTasks(self._store, self._broker, census, self._clock, self._partitions, interval)

    def _ring(self, now: Instant, scheduled: Instant | None) -> float:
        """Ring what is due; return how long to sleep, with ``scheduled`` the next date of any schedule."""
        with self._store.transaction() as transaction:
            upcoming = transaction.next_ring()
            if upcoming is None or upcoming > now:
                return min(self._pause(upcoming), self._pause(scheduled))
            due = transaction.ring(now, self._settings.ring_lease_seconds, _MOST_AT_ONCE)
            waiting = transaction.ring_limits(now, self._settings.ring_lease_seconds)
            if not due and not waiting:
                # What is due has been rung before: it is the deciders' turn, and the next date is what matters.
                upcoming = transaction.next_ring(now)
        if not due and not waiting:
            return min(self._pause(upcoming), self._pause(scheduled))
        # The lease is committed first: a crash in between costs one lease, a wake-up sent twice costs nothing.
        self._unsent = [
            encode_wake(
                Wake(event_id=f"{each.workflow_id}/{each.wake_at}/{now}", workflow_id=each.workflow_id),
                self._partitions,
            )
            for each in due
        ]
        self._unsent += [encode_slot_news(news, self._partitions) for news in ask_again(waiting, now)]
        self._send()
        return 0.0

    def _send(self) -> None:
        if self._unsent:
            self._broker.publish(self._unsent)
            self._unsent = []

    def _pause(self, upcoming: Instant | None) -> float:
        """Return how long nothing will be due, at most the idle time: a nearer date may be written meanwhile."""
        most = self._settings.timekeeper_idle_seconds
        if upcoming is None:
            return most
        return min(most, max(_SHORTEST_PAUSE, (upcoming - self._clock.now()) / SECOND))


def run(settings: Settings) -> int:
    """Run a timekeeper until SIGTERM; return the exit code."""
    stop = heeding_signals(settings)
    store = ready_store(settings, stop)
    if store is None:
        return 0
    with Presence(store, settings, "timekeeper", stop) as presence, archivist_beside(store, settings, stop):
        Timekeeper(store, new_broker(settings), settings, stop, clock=SystemClock()).run()
    store.close()
    log.info("service.stopped")
    return presence.exit_code
