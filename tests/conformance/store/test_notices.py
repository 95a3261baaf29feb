"""Notices that were not taken are kept, come due one by one, and belong to one notifier at a time."""

from __future__ import annotations

from msgspec.structs import replace

from engine.clock import Instant, after
from engine.store.notice_port import HeldNotice
from engine.store.port import Store
from tests.conformance.store.runs import MOMENT

HERE, THERE = "https://here.example/x#Authorization=KEY", "amqp_queue:there"


def held(identity: str, seconds: float = 0, sink: str = HERE) -> HeldNotice:
    return HeldNotice(
        id=identity,
        sink=sink,
        topic="workflow.completed.greet",
        document={"id": identity, "text": "nul \0 and ü", "b": 1, "a": 2},
        held_since=after(MOMENT, seconds),
        due_at=after(MOMENT, seconds),
        attempts=1,
        reason="it answered 503",
    )


def hold(store: Store, *notices: HeldNotice) -> None:
    with store.transaction() as transaction:
        transaction.hold_notices(notices)


def due(store: Store, seconds: float, limit: int = 10) -> list[str]:
    with store.transaction() as transaction:
        return [each.id for each in transaction.due_notices(after(MOMENT, seconds), 60, limit)]


def all_held(store: Store) -> tuple[HeldNotice, ...]:
    with store.transaction() as transaction:
        count, notices = transaction.held_notices()
    assert count == len(notices)
    return notices


def test_a_notice_comes_back_as_it_was_kept(store: Store) -> None:
    hold(store, held("a"))
    assert all_held(store) == (held("a"),)
    assert list(all_held(store)[0].document) == ["id", "text", "b", "a"]


def test_notices_are_due_in_the_order_of_their_dates_and_none_before(store: Store) -> None:
    hold(store, held("late", 30), held("b", 2), held("a", 1))
    assert due(store, 0) == []
    assert due(store, 10, limit=1) == ["a"]
    assert due(store, 10) == ["b"]


def test_a_notice_that_was_due_is_nobody_elses_until_its_lease_has_passed(store: Store) -> None:
    hold(store, held("a"))
    assert due(store, 0) == ["a"]
    assert due(store, 59) == []
    assert due(store, 60) == ["a"]


def test_a_notice_that_fails_again_keeps_its_beginning_and_takes_the_new_date_and_reason(store: Store) -> None:
    hold(store, held("a"))
    hold(store, replace(held("a", 50), attempts=2, reason="no answer within 10 s"))
    (kept,) = all_held(store)
    assert (kept.held_since, kept.due_at, kept.attempts, kept.reason) == (
        MOMENT, after(MOMENT, 50), 2, "no answer within 10 s",
    )  # fmt: skip


def test_the_same_notice_is_kept_once_for_each_sink_and_let_go_for_one(store: Store) -> None:
    hold(store, held("a"), held("a", sink=THERE), held("a"))
    with store.transaction() as transaction:
        transaction.let_go_notices([held("a")])
    assert [each.sink for each in all_held(store)] == [THERE]


def test_everything_that_waits_for_a_sink_is_due_once_it_is_there_again(store: Store) -> None:
    hold(store, held("a", 100), held("b", 200), held("c", 300, sink=THERE))
    with store.transaction() as transaction:
        transaction.hurry_notices([HERE], Instant(MOMENT))
    assert sorted(due(store, 0)) == ["a", "b"]


def test_sinks_are_told_with_what_waits_for_them_and_a_dropped_one_has_nothing_left(store: Store) -> None:
    hold(store, held("a"), held("b"), held("a", sink=THERE))
    with store.transaction() as transaction:
        assert transaction.sinks_waited_for() == {HERE: 2, THERE: 1}
        assert transaction.drop_notices([HERE, "amqp_queue:nowhere"]) == 2
    assert [each.sink for each in all_held(store)] == [THERE]


def test_nothing_at_all_is_no_trouble(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.hold_notices([])
        transaction.let_go_notices([])
        transaction.hurry_notices([], Instant(MOMENT))
        assert transaction.due_notices(MOMENT, 60, 10) == ()
        assert transaction.held_notices() == (0, ())
        assert transaction.sinks_waited_for() == {}
        assert transaction.drop_notices([]) == 0
