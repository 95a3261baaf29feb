"""The notifier: brings notices to those who listen, each at least once.

A notice is acked when its sink has taken it, or when it is held in the database for another attempt: a sink that is
away neither loses notices nor keeps others waiting. One that no attempt has brought anywhere within the time that the
settings give becomes a dead letter with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Final

from engine.broker.port import Broker
from engine.clock import Clock, Instant, SystemClock, after
from engine.config import Settings, variable_of
from engine.errors import BadMessage
from engine.log import get_logger
from engine.masking import masked
from engine.named_values import secret_values
from engine.outgoing import network
from engine.services.delivery import TURN_SECONDS, Attempt, Courier
from engine.services.opening import new_broker, ready_store
from engine.services.presence import Presence
from engine.services.stopping import Stop, carry_on, heeding_signals
from engine.store.notice_port import HeldNotice
from engine.store.port import Store
from engine.wire.dead_letter import bury
from engine.wire.message import NOTICES_QUEUE, Delivery, Message
from engine.wire.notice import Notice, decode_notice, encode_notice

log = get_logger(__name__)

#: Notices that are under way at a time.
_MOST_AT_ONCE: Final = 100

#: Calls that are made at a time, and how many of them to one sink.
_CALLS: Final = 16
_CALLS_TO_ONE: Final = 4

#: Seconds until a sink that has failed is tried again: doubled each time, up to the longest.
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0

#: Longest wait for notices before those that are held are looked at, seconds.
_LOOK_AROUND_SECONDS: Final = 1.0


class Notifier:
    """Delivers until told to stop."""

    def __init__(self, store: Store, broker: Broker, settings: Settings, stop: Stop, *, clock: Clock) -> None:
        self._store = store
        self._broker = broker
        self._settings = settings
        self._stop = stop
        self._clock = clock
        self._courier = Courier(broker, secret_values(settings.secrets_directory), settings.notice_timeout_seconds)
        self._calls = ThreadPoolExecutor(_CALLS, thread_name_prefix="notice")
        self._arrived: list[Delivery] = []
        self._consuming = False
        #: Something that was held has just been due: more may be.
        self._busy = False
        #: Sinks that have failed, each until when nothing new is brought there.
        self._resting: dict[str, tuple[Instant, str]] = {}
        stop.also(broker.interrupt)

    def run(self) -> None:
        """Deliver what arrives and what is due, until stopped; what is away is waited for."""
        carry_on(self._turn, self._broker, self._stop, lost=self._arrived.clear)
        self._calls.shutdown()

    def _turn(self) -> None:
        if not self._consuming:
            self._broker.consume(NOTICES_QUEUE, _MOST_AT_ONCE)
            self._consuming = True
            log.info("service.ready")
        if not self._arrived:
            self._arrived += self._broker.receive(_MOST_AT_ONCE, 0 if self._busy else _LOOK_AROUND_SECONDS)
        now = self._clock.now()
        dead: list[Message] = []
        fresh = self._read(self._arrived, dead, now)
        with self._store.transaction() as transaction:
            due = transaction.due_notices(now, self._lease_seconds, _MOST_AT_ONCE)
        self._busy = bool(due)
        attempts = [Attempt(_notice(each), each) for each in due]
        attempts += [Attempt(notice, None) for notice in fresh]
        self._deliver(attempts, now)
        self._settle(attempts, dead, self._clock.now())
        self._broker.ack(self._arrived)
        self._arrived.clear()

    @property
    def _lease_seconds(self) -> float:
        """How long a held notice that is under way is nobody else's: longer than all calls of a turn can take."""
        return 2 * TURN_SECONDS + 2 * self._settings.notice_timeout_seconds

    def _read(self, arrived: Sequence[Delivery], dead: list[Message], now: Instant) -> list[Notice]:
        fresh = []
        for delivery in arrived:
            try:
                fresh.append(decode_notice(delivery))
            except BadMessage as error:
                log.warning("message.buried", queue=delivery.queue, reason=str(error))
                dead.append(bury(delivery, str(error), now))
        return fresh

    def _deliver(self, attempts: Sequence[Attempt], now: Instant) -> None:
        """Bring each notice to its sink, or note on the attempt why that was not possible."""
        self._resting = {sink: rest for sink, rest in self._resting.items() if rest[0] > now}
        for attempt in attempts:
            if attempt.held is None and attempt.notice.sink in self._resting:
                _, attempt.failure = self._resting[attempt.notice.sink]
        wanted = sorted((each for each in attempts if each.failure is None), key=lambda each: each.notice.sink)
        groups = [list(group) for _, group in groupby(wanted, key=lambda each: each.notice.sink)]
        calls = [
            self._calls.submit(self._courier.call, group[first::_CALLS_TO_ONE])
            for group in groups
            for first in range(min(_CALLS_TO_ONE, len(group)))
            if self._courier.is_called(group[0])
        ]
        self._courier.publish([each for group in groups for each in group if not self._courier.is_called(each)])
        for call in calls:
            call.result()

    def _settle(self, attempts: Sequence[Attempt], dead: list[Message], now: Instant) -> None:
        """Keep what was not taken, let go of what was, and set aside what never will be."""
        kept = []
        for attempt in attempts:
            if attempt.failure is None:
                continue
            held = self._held_on(attempt, now)
            if attempt.final or now >= after(held.held_since, self._settings.notice_give_up_seconds):
                dead.append(_dead_letter(attempt, held, now))
            else:
                kept.append(held)
        if dead:
            self._broker.publish(dead)
        let_go = {(each.id, each.sink) for each in kept}
        done = [each.held for each in attempts if each.held and (each.held.id, each.held.sink) not in let_go]
        awake = {each.notice.sink for each in attempts if each.held is not None and each.failure is None}
        for sink in awake:
            self._resting.pop(sink, None)
        if kept or done:
            with self._store.transaction() as transaction:
                transaction.hold_notices(kept)
                transaction.let_go_notices(done)
                transaction.hurry_notices(awake, now)

    def _held_on(self, attempt: Attempt, now: Instant) -> HeldNotice:
        notice, before = attempt.notice, attempt.held
        until, _ = self._resting.get(notice.sink, (Instant(0), ""))
        failed = (before.attempts if before else 0) + 1
        if until <= now:
            pause = min(_FIRST_PAUSE * 2.0 ** min(failed - 1, 20), _LONGEST_PAUSE)
            until = after(now, pause)
            self._resting[notice.sink] = until, attempt.reason
            log.warning("sink.away", sink=masked(notice.sink), reason=attempt.reason, retry_in_seconds=pause)
        return HeldNotice(
            id=notice.id,
            sink=notice.sink,
            topic=notice.topic,
            document=notice.document,
            held_since=before.held_since if before else now,
            due_at=until,
            attempts=failed,
            reason=attempt.reason,
        )


def _notice(held: HeldNotice) -> Notice:
    return Notice(id=held.id, sink=held.sink, topic=held.topic, document=held.document)


def _dead_letter(attempt: Attempt, held: HeldNotice, now: Instant) -> Message:
    reason = f"The notice was not taken by {masked(held.sink)}: {attempt.reason}"
    if not attempt.final:
        reason += f" (attempt {held.attempts}; tried for as long as {variable_of('notice_give_up_seconds')} says)"
    log.error("notice.set_aside", notice=held.id, sink=masked(held.sink), reason=attempt.reason)
    return bury(Delivery(message=encode_notice(attempt.notice), queue=NOTICES_QUEUE), reason, now)


def run(settings: Settings) -> int:
    """Run a notifier until SIGTERM; return the exit code."""
    stop = heeding_signals(settings)
    network.use(network.rules_of(settings))
    store = ready_store(settings, stop)
    if store is None:
        return 0
    with Presence(store, settings, "notifier", stop) as presence:
        Notifier(store, new_broker(settings), settings, stop, clock=SystemClock()).run()
    store.close()
    log.info("service.stopped")
    return presence.exit_code
