"""The timekeeper rings what is due, sleeps towards the next date, and hears of nearer ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from engine.broker.memory import MemoryBroker
from engine.clock import Instant, after
from engine.config import Settings
from engine.services.rescuer import Rescuer
from engine.services.stopping import Stop
from engine.services.timekeeper import Timekeeper
from engine.store.port import Save
from engine.testing.clock import FixedClock
from engine.testing.memory_store import MemoryStore, MemoryTransaction
from engine.wire.message import Delivery, Message, events_queue
from engine.wire.nearer import encode_nearer
from engine.wire.request_message import decode_wake
from tests.conformance.store.runs import a_run


class Night(Stop):
    """Sleep that takes no time: the clock goes on, and after so many naps it is time to stop."""

    def __init__(self, clock: FixedClock, naps: int) -> None:
        super().__init__()
        self._clock = clock
        self._naps = naps
        self.slept: list[float] = []
        #: What happens during the nap of this number.
        self.meanwhile: dict[int, Callable[[], None]] = {}

    def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        self._clock.set(after(self._clock.now(), seconds))
        self.meanwhile.get(len(self.slept), lambda: None)()
        self.slept.append(seconds)
        if len(self.slept) >= self._naps:
            self.now()


class Watch:
    """A timekeeper on memory."""

    def __init__(self, naps: int) -> None:
        self.clock, self.store, self.hub = FixedClock(), MemoryStore(), MemoryBroker()
        self.night = Night(self.clock, naps)
        self._broker = self.hub.connect()
        settings = Settings(partitions=1)
        self._listen = self._broker.receive
        self._broker.receive = self._receive  # type: ignore[method-assign]
        self._keeper = Timekeeper(self.store, self._broker, settings, self.night, clock=self.clock)

    def _receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """Wait without taking time."""
        heard = self._listen(limit, 0)
        if not heard:
            self.night.sleep(wait_seconds)
            heard = self._listen(limit, 0)
        return heard

    def announces(self, at: Instant) -> None:
        """Tell timekeepers of a date, as deciders do."""
        self.hub.connect().publish([encode_nearer(at)])

    def has(self, identity: str, wake_at: Instant) -> None:
        """Store an open run that is to be woken."""
        with self.store.transaction() as transaction:
            transaction.save([Save(workflow=a_run(identity, wake_at=wake_at), loaded_version=None)])

    def woken(self) -> list[str]:
        """Let the night pass; return the runs that were woken."""
        self._keeper.run()
        decider = self.hub.connect()
        decider.consume(events_queue(0), 1_000)
        return [decode_wake(each).workflow_id for each in decider.receive(1_000, 0)]

    def loses_its_line_with_the_first_ring(self) -> None:
        """Let the broker go away just when runs were rung and are to be told."""
        publish = self._broker.publish

        def lost(messages: Sequence[Message]) -> None:
            if messages[0].queue == events_queue(0):
                self._broker.publish = publish  # type: ignore[method-assign]
                self.hub.disconnect()
            publish(messages)

        self._broker.publish = lost  # type: ignore[method-assign]

    def in_seconds(self, seconds: float) -> Instant:
        """Return a moment to come."""
        return after(self.clock.now(), seconds)


@pytest.fixture
def watch() -> Callable[[int], Watch]:
    return Watch


def test_an_idle_timekeeper_looks_every_two_seconds(watch) -> None:
    watch = watch(naps=3)
    assert watch.woken() == []
    assert watch.night.slept == [2.0, 2.0, 2.0]


def test_an_idle_timekeeper_asks_for_the_next_date_and_locks_nothing(watch, monkeypatch) -> None:
    locked: list[object] = []
    monkeypatch.setattr(MemoryTransaction, "ring", lambda *given: locked.append(given) or ())
    monkeypatch.setattr(MemoryTransaction, "ring_limits", lambda *given: locked.append(given) or ())
    monkeypatch.setattr(MemoryTransaction, "due_schedules", lambda *given: locked.append(given) or ())
    watch = watch(naps=3)
    watch.has("tomorrow", watch.in_seconds(86_400))
    watch.woken()
    assert not locked


def test_it_sleeps_just_until_the_next_date(watch) -> None:
    watch = watch(naps=2)
    watch.has("soon", watch.in_seconds(0.05))
    assert watch.woken() == ["soon"]
    assert watch.night.slept[0] == pytest.approx(0.05)


def test_a_date_that_is_written_and_not_announced_during_its_sleep_is_late_by_two_seconds_at_most(watch) -> None:
    watch = watch(naps=2)
    watch.night.meanwhile[0] = lambda: watch.has("short", watch.in_seconds(-0.1))
    assert watch.woken() == ["short"]
    assert watch.night.slept[0] == 2.0


def test_a_date_that_is_announced_during_its_sleep_is_met(watch) -> None:
    watch = watch(naps=3)

    def written() -> None:
        watch.clock.set(after(watch.clock.now(), -1.9))
        watch.has("short", watch.in_seconds(0.5))
        watch.announces(watch.in_seconds(0.5))

    watch.night.meanwhile[0] = written
    assert watch.woken() == ["short"]
    assert watch.night.slept[1] == pytest.approx(0.5)


def test_a_date_that_is_announced_and_further_away_makes_it_look_no_sooner(watch, monkeypatch) -> None:
    looks: list[object] = []
    next_ring = MemoryTransaction.next_ring
    monkeypatch.setattr(
        MemoryTransaction, "next_ring", lambda self, *given: looks.append(given) or next_ring(self, *given)
    )
    watch = watch(naps=2)

    def announced() -> None:
        watch.clock.set(after(watch.clock.now(), -1))
        watch.announces(watch.in_seconds(3))

    watch.night.meanwhile[0] = announced
    watch.woken()
    assert watch.night.slept == [2.0, 1.0]
    assert len(looks) <= 2


def test_what_was_rung_and_not_yet_answered_keeps_nobody_awake(watch) -> None:
    watch = watch(naps=4)
    watch.has("due", watch.in_seconds(-1))
    assert watch.woken() == ["due"]
    assert watch.night.slept == [2.0, 2.0, 2.0, 2.0]


def test_what_was_rung_and_not_yet_answered_hides_no_later_date(watch) -> None:
    watch = watch(naps=2)
    watch.has("due", watch.in_seconds(-1))
    watch.has("soon", watch.in_seconds(0.5))
    assert watch.woken() == ["due", "soon"]
    assert watch.night.slept[0] == pytest.approx(0.5)


def test_chores_wait_where_a_date_is_nearer_than_they_take(watch, monkeypatch) -> None:
    looked: list[Instant] = []

    def look(_: object) -> int:
        looked.append(watch.clock.now())
        watch.clock.set(watch.in_seconds(0.4))
        return 0

    monkeypatch.setattr(Rescuer, "look", look)
    watch = watch(naps=5)
    begun, due = watch.clock.now(), watch.in_seconds(5.6)
    watch.has("due", due)
    assert watch.woken() == ["due"]
    assert looked[0] == begun
    assert looked[1] >= due


def test_more_than_one_ring_can_take_is_rung_without_a_pause(watch) -> None:
    watch = watch(naps=1)
    for number in range(600):
        watch.has(f"run {number}", watch.in_seconds(-1))
    assert len(watch.woken()) == 600
    assert watch.night.slept == [2.0]


def test_a_broker_that_goes_away_between_the_ring_and_its_message_costs_no_lease(watch) -> None:
    watch = watch(naps=2)
    watch.has("due", watch.in_seconds(-1))
    watch.loses_its_line_with_the_first_ring()
    assert watch.woken() == ["due"]
    assert watch.night.slept == [0.1, 2.0]
