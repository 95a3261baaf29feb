"""The decider's loop: what it holds, owns and gives back, whatever goes away and whenever it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from engine.broker.memory import MemoryBroker, MemoryConnection
from engine.config import Settings
from engine.decider.validate import check_workflow
from engine.errors import BrokerUnavailable, StoreUnavailable
from engine.executor import Executor
from engine.model.event import StartWorkflow
from engine.model.request import Request
from engine.services.decider import RoadService, by_size
from engine.services.stopping import Stop
from engine.testing.clock import FixedClock
from engine.testing.memory_store import MemoryStore, MemoryTransaction
from engine.wire.dead_letter import read_dead
from engine.wire.message import DEAD_QUEUE, START_QUEUE, Delivery, Message, events_queue
from engine.wire.request_message import encode_request
from engine.wire.start_message import encode_start

ONE_TASK = {"name": "one", "tasks": [{"name": "a", "taskReferenceName": "a", "type": "SIMPLE"}]}


class Line(MemoryConnection):
    """A line that notes what goes over it; ``when`` says what happens just before a call."""

    def __init__(self, hub: MemoryBroker) -> None:
        super().__init__(hub)
        self.calls: list[tuple[str, Any]] = []
        self.when: Callable[[str, Any], None] = lambda _call, _what: None

    def _note(self, call: str, what: Any) -> None:
        self.calls.append((call, what))
        self.when(call, what)

    def consume(self, queue: str, prefetch: int) -> None:
        self._note("consume", (queue, prefetch))
        super().consume(queue, prefetch)

    def cancel(self, queue: str) -> None:
        self._note("cancel", queue)
        super().cancel(queue)

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        found = super().receive(limit, 0)
        self._note("receive", len(found))
        return found

    def publish(self, messages: Sequence[Message]) -> None:
        self._note("publish", messages)
        super().publish(messages)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._note("ack", len(deliveries))
        super().ack(deliveries)

    def names(self) -> list[str]:
        """Return what was called, in order."""
        return [call for call, _ in self.calls]


class Quiet(Stop):
    """Sleeps without taking time."""

    def sleep(self, seconds: float) -> None:
        """Do not wait."""


class Site:
    """A decider on memory whose loop runs in this very thread until something stops it."""

    def __init__(self, *, starter: bool = False, **settings: Any) -> None:
        self.hub, self.store, self.clock, self.stop = MemoryBroker(), MemoryStore(), FixedClock(), Quiet()
        self.settings = Settings(**{"partitions": 4, **settings})
        self.line = Line(self.hub)
        self.service = RoadService(self.store, self.line, self.settings, self.stop, clock=self.clock, starter=starter)
        self.outside = self.hub.connect()
        self.outside.declare_partitions(4)
        with self.store.transaction() as transaction:
            transaction.register_workflow(check_workflow(ONE_TASK), overwrite=True)

    def starts(self, *identities: str, queue: str = START_QUEUE) -> None:
        """Publish the starts of runs."""
        asked = (StartWorkflow(event_id=f"start {each}", workflow_id=each, name="one") for each in identities)
        self.outside.publish([encode_start(start, queue) for start in asked])

    def stop_when_idle(self) -> None:
        """Have the loop end when it finds nothing to do."""
        before = self.line.when

        def when(call: str, what: Any) -> None:
            before(call, what)
            if call == "receive" and not what:
                self.stop.now()

        self.line.when = when

    def runs(self, *identities: str) -> list[str]:
        """Return those of these runs that are stored."""
        with self.store.transaction() as transaction:
            return [each for each in identities if each in transaction.load(identities)]

    def share(self, owner: str) -> tuple[int, ...]:
        """Let another decider ask for its share of the partitions."""
        with self.store.transaction() as transaction:
            return transaction.share_leases(owner, self.clock.now(), 15.0, 4)


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    yield
    structlog.configure(**before)


def dead(site: Site) -> list[str]:
    return [read_dead(each.message).reason for each in site.outside.peek(DEAD_QUEUE, 100)]


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

    site.line.when = lambda call, what: _break_store(site, gone) if call == "receive" and what else None
    site.service.run()
    assert site.outside.ready(START_QUEUE) == 1


def _break_store(site: Site, happens: Callable[[], None]) -> None:
    site.line.when = lambda _call, _what: None

    @contextmanager
    def broken() -> Iterator[MemoryTransaction]:
        site.store.transaction = whole  # type: ignore[method-assign]
        happens()
        raise AssertionError
        yield

    whole = site.store.transaction
    site.store.transaction = broken  # type: ignore[method-assign]


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
            site.clock.advance(2)
            if len(idle) == 2:
                site.stop.now()

    site.line.when = when
    site.service.run()
    cancelled = [what for call, what in site.line.calls if call == "cancel"]
    assert cancelled == [events_queue(2), events_queue(3)]
    assert ("consume", (events_queue(0), 500)) in site.line.calls


def test_what_is_held_is_done_before_its_partition_goes_to_another() -> None:
    # Given a decider that holds a message, and a store that goes away for a moment.
    site = Site()
    site.starts("run-1", queue=events_queue(3))
    site.line.when = lambda call, what: _break_store(site, share) if call == "receive" and what else None

    def share() -> None:
        # When another decider wants its share meanwhile.
        site.store.transaction = whole  # type: ignore[method-assign]
        site.share("other")
        site.clock.advance(2)
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
            site.clock.advance(2)

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


# what goes wrong on the way


def test_a_store_lost_between_two_commits_of_a_batch_costs_no_command(monkeypatch) -> None:
    # Given a batch of two runs, of which the second has to be stored a second time.
    site = Site()
    site.stop_when_idle()
    save, refused = MemoryTransaction.save, []

    def first_only(self: MemoryTransaction, saves: Sequence[Any]) -> set[str]:
        if refused:
            return save(self, saves)
        refused.append(saves[-1])
        # When the store is gone after the first commit.
        _break_store(site, gone)
        site.stop_when_idle()
        return save(self, saves[:-1])

    def gone() -> None:
        raise StoreUnavailable("gone between two commits")

    monkeypatch.setattr(MemoryTransaction, "save", first_only)
    site.starts("run-1", "run-2")
    site.service.run()
    # Then both are stored, and the tasks of both are published, once.
    assert site.runs("run-1", "run-2") == ["run-1", "run-2"]
    assert site.outside.ready("a") == 2
    assert refused


def test_a_line_lost_before_the_confirm_sends_again_what_was_commanded() -> None:
    site = Site()
    site.stop_when_idle()
    idle, lost = site.line.when, []

    def when(call: str, what: Any) -> None:
        if call == "publish" and not lost:
            lost.append(what)
            site.hub.disconnect()
        idle(call, what)

    site.line.when = when
    site.starts("run-1")
    site.service.run()
    assert site.hub.connect().ready("a") == 1


@pytest.fixture
def poison(monkeypatch) -> None:
    handle = Executor.handle

    def fails_on_poison(self: Executor, deliveries: Sequence[Delivery]) -> None:
        if any(b"poison" in delivery.message.body for delivery in deliveries):
            raise RuntimeError("a fault that nobody foresaw")
        handle(self, deliveries)

    monkeypatch.setattr(Executor, "handle", fails_on_poison)


def test_a_message_on_which_the_road_fails_is_buried_and_its_neighbours_go_on(poison) -> None:
    site = Site()
    site.stop_when_idle()
    site.starts("run-1", "poison", "run-2")
    site.service.run()
    assert site.runs("run-1", "poison", "run-2") == ["run-1", "run-2"]
    assert dead(site) == ["The decider failed on it: RuntimeError: a fault that nobody foresaw"]
    assert site.outside.ready(START_QUEUE) == 0


def test_what_was_done_one_by_one_is_not_done_again_when_the_store_goes_away_in_the_middle(poison) -> None:
    # Given requests that may not be carried out twice, one of them after the poison.
    site = Site()
    site.starts("run-1", queue=events_queue(0))
    pause, resume = (
        Request(event_id=verb, workflow_id="run-1", verb=verb, reply_to="baton.reply.asker")
        for verb in ("pause", "resume")
    )
    site.outside.declare_replies("baton.reply.asker")
    requests = [encode_request(each, 1) for each in (pause, resume)]
    site.outside.publish([requests[0], Message(queue=events_queue(0), body=b"poison"), requests[1]])
    site.stop_when_idle()
    idle, acked = site.line.when, []

    def when(call: str, what: Any) -> None:
        if call == "ack":
            acked.append(what)
            if len(acked) == 3:
                # When the store goes away for a moment after the poison.
                _break_store(site, gone)
                site.stop_when_idle()
                return
        idle(call, what)

    def gone() -> None:
        raise StoreUnavailable("away for a moment")

    site.line.when = when
    site.service.run()
    # Then each was answered once.
    assert site.outside.ready("baton.reply.asker") == 2
    assert len(dead(site)) == 1


# large messages


def test_large_messages_are_carried_a_few_at_a_time() -> None:
    site = Site(starter=True, batch_size=100, batch_bytes=1024 * 1024)
    large = [
        StartWorkflow(event_id=f"start {each}", workflow_id=each, name="one", input={"text": "x" * 400_000})
        for each in ("a", "b", "c", "d", "e")
    ]
    site.outside.publish([encode_start(start) for start in large])
    site.stop_when_idle()
    site.service.run()
    assert site.runs("a", "b", "c", "d", "e") == ["a", "b", "c", "d", "e"]
    assert [count for call, count in site.line.calls if call == "ack"] == [2, 2, 1]


@pytest.mark.parametrize(
    ("sizes", "counts"), [([], []), ([9], [1]), ([9, 9], [1, 1]), ([2, 2, 2], [2, 1]), ([1, 9, 1, 1, 1], [1, 1, 3])]
)
def test_messages_are_parted_by_size_and_one_that_is_too_large_goes_alone(sizes: list[int], counts: list[int]) -> None:
    deliveries = [Delivery(message=Message(queue="q", body=b"x" * size), queue="q") for size in sizes]
    assert list(by_size(deliveries, 4)) == counts
