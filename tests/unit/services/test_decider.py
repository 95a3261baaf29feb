"""The decider's loop: what it holds, owns and gives back, whatever goes away and whenever it is told to stop."""

from __future__ import annotations

from typing import Any

import pytest

from engine.broker.memory import MemoryConnection
from engine.clock import SECOND, Instant, after
from engine.errors import BrokerUnavailable, StoreUnavailable
from engine.executor import Executor
from engine.wire.message import START_QUEUE, events_queue
from tests.unit.services.site import Site, break_store

# stopping


def test_a_stop_lets_the_batch_in_hand_be_finished_and_gives_the_rest_back() -> None:
    site = Site(starter=True, batch_size=10, prefetch=30)
    names = [f"run-{number}" for number in range(30)]
    site.starts(*names)
    site.line.when = lambda call, _: site.stop.now() if call == "publish" else None
    site.service.run()
    assert site.runs(*names) == names[:10]
    assert site.outside.ready("a") == 10
    assert site.outside.ready(START_QUEUE) == 20


def test_whoever_comes_after_a_stopped_decider_need_not_wait_for_its_leases() -> None:
    site = Site()
    site.stop_when_idle()
    site.service.run()
    assert site.share("next") == (0, 1, 2, 3)


def test_a_batch_that_cannot_be_stored_when_it_is_time_to_stop_goes_back_to_its_queue() -> None:
    site = Site()
    site.starts("run-1")

    def gone() -> None:
        site.stop.now()
        raise StoreUnavailable("gone")

    site.line.when = lambda call, what: break_store(site, gone) if call == "receive" and what else None
    site.service.run()
    assert site.outside.ready(START_QUEUE) == 1


# what is held, and what is owned


def test_the_prefetch_is_shared_out_among_the_partitions_and_each_can_fill_a_batch() -> None:
    site = Site(prefetch=1_000, batch_size=100)
    site.stop_when_idle()
    site.service.run()
    assert [what for call, what in site.line.calls if call == "consume"][1:] == [
        (events_queue(partition), 250) for partition in range(4)
    ]
    small = Site(prefetch=1_000, batch_size=400)
    small.stop_when_idle()
    small.service.run()
    assert ("consume", (events_queue(3), 400)) in small.line.calls


def test_partitions_that_others_have_are_left_and_those_that_stay_get_a_larger_part() -> None:
    site = Site(prefetch=1_000, batch_size=100)
    idle = []

    def when(call: str, what: Any) -> None:
        if call == "receive" and not what:
            idle.append(call)
            site.share("other")
            site.clock.advance(6)
            if len(idle) == 2:
                site.stop.now()

    site.line.when = when
    site.service.run()
    cancelled = [what for call, what in site.line.calls if call == "cancel"]
    assert cancelled == [events_queue(2), events_queue(3)]
    assert ("consume", (events_queue(0), 500)) in site.line.calls


def test_who_has_all_partitions_looks_every_five_seconds_and_who_shares_them_every_second() -> None:
    site = Site()
    looks: list[Instant] = []
    share = site.service._share
    site.service._share = lambda executor: (looks.append(site.clock.now()), share(executor))  # type: ignore[method-assign, assign]
    begun = site.clock.now()

    def when(call: str, what: Any) -> None:
        if call == "receive" and not what:
            site.clock.advance(1)
            if site.clock.now() == after(begun, 3):
                site.share("other")
            if site.clock.now() == after(begun, 8):
                site.stop.now()

    site.line.when = when
    site.service.run()
    assert [(look - begun) / SECOND for look in looks] == [0, 5, 6, 7]


def test_what_is_held_is_done_before_its_partition_goes_to_another() -> None:
    # Given a decider that holds a message, and a store that goes away for a moment.
    site = Site()
    site.starts("run-1", queue=events_queue(3))
    site.line.when = lambda call, what: break_store(site, share) if call == "receive" and what else None

    def share() -> None:
        # When another decider wants its share meanwhile.
        site.store.transaction = whole  # type: ignore[method-assign]
        site.share("other")
        site.clock.advance(6)
        site.stop_when_idle()
        raise StoreUnavailable("away for a moment")

    whole = site.store.transaction
    site.service.run()
    # Then what was held is stored and acked first.
    names = site.line.names()
    assert site.runs("run-1") == ["run-1"]
    assert names.index("ack") < names.index("cancel")


def test_a_line_lost_while_partitions_are_shared_out_leaves_none_unserved() -> None:
    site = Site()
    site.stop_when_idle()
    idle, lost = site.line.when, []

    def when(call: str, what: Any) -> None:
        if (call, what) == ("consume", (events_queue(2), 250)) and not lost:
            lost.append(what)
            site.hub.disconnect()
        idle(call, what)

    site.line.when = when
    for partition in range(4):
        site.starts(f"run-{partition}", queue=events_queue(partition))
    site.service.run()
    assert lost
    assert len(site.runs("run-0", "run-1", "run-2", "run-3")) == 4


def test_a_partition_that_is_given_up_and_got_back_while_the_line_is_lost_is_served_again() -> None:
    # Given a decider that leaves partitions to another one, and loses its line when it has given up the first.
    site = Site()
    site.share("other")
    idle: list[str] = []

    def when(call: str, what: Any) -> None:
        if call == "cancel" and what == events_queue(2) and not idle:
            idle.append(call)
            MemoryConnection.cancel(site.line, what)
            # When the other one is gone by the time of the next share.
            site.clock.advance(60)
            site.starts("run-2", queue=events_queue(2))
            site.stop_when_idle()
            site.hub.disconnect()
        elif call == "receive" and not idle:
            site.share("other")
            site.clock.advance(6)

    site.clock.advance(60)
    site.line.when = when
    site.service.run()
    # Then the share is what it was before, and yet the partition is consumed again.
    assert idle
    assert site.runs("run-2") == ["run-2"]


@pytest.mark.parametrize(("dies", "served"), [(True, ["run-1"]), (False, [])])
def test_partitions_are_taken_over_before_the_leases_run_out_if_their_decider_has_died(dies, served) -> None:
    # Given another decider that has taken all partitions, with leases of 15 seconds.
    site = Site()
    other = site.hub.connect()
    for partition in range(4):
        other.consume(events_queue(partition), 10)
    site.share("other")
    site.starts("run-1", queue=events_queue(3))
    if dies:
        # When it dies without a word to the database.
        other.close()
    moments = iter(range(5))

    def when(call: str, what: Any) -> None:
        if call == "receive":
            site.clock.advance(1)
            if next(moments, None) is None:
                site.stop.now()

    site.line.when = when
    site.service.run()
    # Then its work is done five seconds later.
    assert site.runs("run-1") == served


def test_a_line_lost_at_the_very_start_leaves_nothing_unconsumed() -> None:
    site = Site()
    site.stop_when_idle()
    idle, lost = site.line.when, []

    def when(call: str, what: Any) -> None:
        if call == "consume" and not lost:
            lost.append(what)
            raise BrokerUnavailable("not yet")
        idle(call, what)

    site.line.when = when
    site.starts("run-1")
    site.service.run()
    assert site.runs("run-1") == ["run-1"]


def test_memory_of_a_partition_is_dropped_before_the_first_message_of_it_arrives(monkeypatch) -> None:
    site = Site()
    site.stop_when_idle()
    forget = Executor.forget

    def noted(self: Executor) -> None:
        site.line.calls.append(("forget", None))
        forget(self)

    monkeypatch.setattr(Executor, "forget", noted)
    site.service.run()
    names = [call for call, what in site.line.calls if what != (START_QUEUE, 25)]
    assert names[:2] == ["forget", "consume"]
