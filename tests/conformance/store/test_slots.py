"""A limited number of tasks hold slots, the others wait in line; a rate looks back over a sliding window."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec
import pytest

from engine.clock import Instant, after
from engine.model.definition import TaskDef
from engine.model.execution import Task
from engine.model.limit import MOST_GRANTS, Terms
from engine.model.status import Slot, TaskStatus
from engine.store.port import Save, SlotTask, Store, TaskKey
from tests.conformance.store.runs import MOMENT, a_run, a_task, change, create, load, save


def a_slot(run: str, *, seq: int = 1, limit: str = "pack", priority: int = 0, since: int = MOMENT) -> SlotTask:
    return SlotTask(limit=limit, workflow_id=run, seq=seq, priority=priority, since=Instant(since))


def exchange(
    store: Store,
    terms: Terms,
    *,
    waiting: Sequence[SlotTask] = (),
    ended: Sequence[SlotTask] = (),
    at: int = MOMENT,
    limit: str = "pack",
) -> list[str]:
    """Return the runs whose first task was granted a slot."""
    with store.transaction() as transaction:
        transaction.lock_limits([limit])
        granted = transaction.exchange_slots(waiting, ended, {limit: terms}, Instant(at))
    return [run for run, _ in granted]


def ring(store: Store, at: int) -> tuple[TaskKey, ...]:
    with store.transaction() as transaction:
        return transaction.ring_limits(Instant(at), 10.0)


def next_ring(store: Store) -> Instant | None:
    with store.transaction() as transaction:
        return transaction.next_ring()


TWO = Terms(at_once=2)
ONE = Terms(at_once=1)


def test_as_many_are_granted_as_there_are_slots_and_an_end_lets_the_next_one_in(store: Store) -> None:
    line = [a_slot(run, since=MOMENT + number) for number, run in enumerate("abcd")]
    assert exchange(store, TWO, waiting=line) == ["a", "b"]
    assert exchange(store, TWO) == []
    assert exchange(store, TWO, ended=[line[0]]) == ["c"]
    assert exchange(store, TWO, ended=[line[1], line[2]]) == ["d"]
    assert exchange(store, TWO, ended=[line[3]]) == []


def test_a_higher_priority_comes_first_then_whoever_waits_longer_then_the_ids(store: Store) -> None:
    exchange(store, ONE, waiting=[a_slot("holder")])
    late, early, urgent = a_slot("a", since=MOMENT + 9), a_slot("c"), a_slot("z", priority=9, since=MOMENT + 50)
    twin, second = a_slot("b"), a_slot("b", seq=2)
    exchange(store, ONE, waiting=[late, early, urgent, second, twin])
    granted, last = [], a_slot("holder")
    for _ in range(5):
        with store.transaction() as transaction:
            transaction.lock_limits(["pack"])
            (key,) = transaction.exchange_slots([], [last], {"pack": ONE}, MOMENT)
        granted.append(key)
        last = a_slot(key[0], seq=key[1])
    assert granted == [("z", 1), ("b", 1), ("c", 1), ("b", 2), ("a", 1)]


def test_standing_in_line_twice_and_giving_back_twice_change_nothing(store: Store) -> None:
    first, second = a_slot("a"), a_slot("b", since=MOMENT + 1)
    assert exchange(store, ONE, waiting=[first, second]) == ["a"]
    assert exchange(store, ONE, waiting=[first, second]) == []
    assert exchange(store, ONE, ended=[first]) == ["b"]
    assert exchange(store, ONE, ended=[first, a_slot("nobody")]) == []
    assert exchange(store, ONE, ended=[second], waiting=[a_slot("c")]) == ["c"]


def test_whoever_ends_while_waiting_leaves_the_line(store: Store) -> None:
    line = [a_slot(run, since=MOMENT + number) for number, run in enumerate("abc")]
    exchange(store, ONE, waiting=line)
    assert exchange(store, ONE, ended=[line[1]]) == []
    assert exchange(store, ONE, ended=[line[0]]) == ["c"]


def test_limits_do_not_concern_each_other(store: Store) -> None:
    assert exchange(store, ONE, waiting=[a_slot("a")]) == ["a"]
    assert exchange(store, ONE, waiting=[a_slot("b", limit="ship")], limit="ship") == ["b"]
    with store.transaction() as transaction:
        transaction.lock_limits({"ship", "pack"})
        terms = {"ship": TWO, "pack": TWO}
        waiting = [a_slot("c"), a_slot("d", limit="ship"), a_slot("e")]
        granted = transaction.exchange_slots(waiting, [], terms, MOMENT)
    assert sorted(granted) == [("c", 1), ("d", 1)]


def test_other_terms_count_from_then_on(store: Store) -> None:
    line = [a_slot(run, since=MOMENT + number) for number, run in enumerate("abcde")]
    assert exchange(store, TWO, waiting=line) == ["a", "b"]
    assert exchange(store, Terms(at_once=3)) == ["c"]
    assert exchange(store, ONE, ended=line[:2]) == []
    assert exchange(store, ONE, ended=[line[2]]) == ["d"]
    assert exchange(store, Terms()) == ["e"]


def test_no_more_start_within_any_stretch_of_time_than_the_rate_allows(store: Store) -> None:
    rate = Terms(starts=2, seconds=10)
    line = [a_slot(run, since=MOMENT + number) for number, run in enumerate("abcdefg")]
    begin, second = MOMENT, 1_000_000
    assert exchange(store, rate, waiting=line[:1], at=begin) == ["a"]
    assert exchange(store, rate, waiting=line[1:], at=begin + 6 * second) == ["b"]
    assert next_ring(store) == begin + 10 * second
    assert exchange(store, rate, ended=line[:2], at=begin + 7 * second) == [], "a start counts after its end too"
    assert exchange(store, rate, at=begin + 10 * second - 1) == []
    assert exchange(store, rate, at=begin + 10 * second) == ["c"]
    assert next_ring(store) == begin + 16 * second
    assert exchange(store, rate, at=begin + 16 * second) == ["d"]
    assert exchange(store, rate, at=begin + 60 * second) == ["e", "f"]
    assert exchange(store, rate, at=begin + 90 * second) == ["g"]
    assert next_ring(store) is None, "nobody waits any more"


def test_a_task_under_a_rate_stands_in_line_again_when_its_run_was_removed_and_has_begun_anew(store: Store) -> None:
    rate, task, second = Terms(starts=2, seconds=10), a_slot("a"), 1_000_000
    for passed in (0, 4):
        assert exchange(store, rate, waiting=[task], at=MOMENT + passed * second) == ["a"]
        assert exchange(store, rate, ended=[task], at=MOMENT + passed * second) == []
    assert exchange(store, rate, waiting=[task], at=MOMENT + 5 * second) == [], "its earlier starts count as before"
    assert next_ring(store) == MOMENT + 10 * second
    assert exchange(store, rate, at=MOMENT + 10 * second) == ["a"]


def test_a_rate_and_a_number_at_once_both_hold(store: Store) -> None:
    both = Terms(at_once=1, starts=2, seconds=10)
    line = [a_slot(run, since=MOMENT + number) for number, run in enumerate("abcd")]
    assert exchange(store, both, waiting=line) == ["a"]
    assert next_ring(store) is None, "the end of the holder brings the next"
    assert exchange(store, both, ended=line[:1]) == ["b"]
    assert exchange(store, both, ended=line[1:2]) == []
    assert next_ring(store) == after(MOMENT, 10)


def test_a_rate_that_is_gone_leaves_nothing_behind(store: Store) -> None:
    done = a_slot("a")
    exchange(store, Terms(starts=1, seconds=10), waiting=[done])
    exchange(store, Terms(starts=1, seconds=10), ended=[done])
    assert exchange(store, ONE, waiting=[a_slot("b")]) == ["b"]
    assert exchange(store, Terms(starts=1, seconds=10), waiting=[a_slot("c")], at=MOMENT + 1) == []
    assert exchange(store, Terms(starts=2, seconds=10), at=MOMENT + 2) == ["c"]


def test_a_limit_whose_date_has_come_rings_the_first_in_line_once_for_each_lease(store: Store) -> None:
    rate = Terms(starts=1, seconds=10)
    exchange(store, rate, waiting=[a_slot("a"), a_slot("b", since=MOMENT + 2), a_slot("c", since=MOMENT + 1)])
    assert ring(store, MOMENT + 5_000_000) == ()
    assert ring(store, MOMENT + 10_000_000) == (("c", 1),)
    assert ring(store, MOMENT + 10_000_001) == ()
    assert ring(store, MOMENT + 20_000_000) == (("c", 1),)


def test_a_limit_in_which_nobody_waits_any_more_rings_nobody(store: Store) -> None:
    rate = Terms(starts=1, seconds=10)
    line = [a_slot("a"), a_slot("b", since=MOMENT + 1)]
    exchange(store, rate, waiting=line)
    assert exchange(store, rate, ended=[line[1]]) == []
    assert next_ring(store) is None
    assert ring(store, MOMENT + 60_000_000) == ()


def test_many_are_granted_a_part_at_a_time_and_the_limit_rings_for_the_rest(store: Store) -> None:
    line = [a_slot(f"{number:04}") for number in range(MOST_GRANTS + 1)]
    assert len(exchange(store, Terms(), waiting=line)) == MOST_GRANTS
    assert ring(store, MOMENT) == ((f"{MOST_GRANTS:04}", 1),)
    assert exchange(store, Terms()) == [f"{MOST_GRANTS:04}"]


def test_registering_or_forgetting_a_definition_has_its_limit_looked_at_now(store: Store) -> None:
    exchange(store, ONE, waiting=[a_slot("a"), a_slot("b", since=MOMENT + 1)])
    for happen in (
        lambda transaction: transaction.register_tasks([TaskDef(name="pack"), TaskDef(name="unheard of")]),
        lambda transaction: transaction.unregister_task("pack"),
    ):
        with store.transaction() as transaction:
            happen(transaction)
        assert ring(store, MOMENT) == (("b", 1),)
        exchange(store, ONE)
        assert ring(store, MOMENT) == ()


def waiting_task(run: str) -> Task:
    return a_task(run, slot=Slot.WAITING)


def test_a_grant_that_its_task_has_not_taken_up_is_found(store: Store) -> None:
    create(store, a_run("a"), a_run("b"), tasks=[waiting_task("a"), waiting_task("b")])
    exchange(store, ONE, waiting=[a_slot("a"), a_slot("b", since=MOMENT + 1)])
    later = Instant(MOMENT + 5)

    def unsent(*limits: str, before: Instant | None = later) -> tuple[TaskKey, ...]:
        with store.transaction() as transaction:
            return transaction.unsent_grants(limits or None, before)

    assert unsent() == unsent("pack", "ship") == unsent("pack", before=None) == (("a", 1),)
    assert unsent("ship") == unsent(before=Instant(MOMENT - 1)) == ()
    rows = load(store, "a")
    taken = msgspec.structs.replace(rows.tasks[0], slot=Slot.HELD, dispatched=True)
    save(store, Save(workflow=change(rows.workflow), loaded_version=1, updated=[taken]))
    assert load(store, "a").tasks[0].slot is Slot.HELD
    assert unsent() == ()


def test_slots_of_tasks_that_have_ended_or_are_gone_are_taken_back_and_the_limit_rings(store: Store) -> None:
    ended = a_task("ended", status=TaskStatus.COMPLETED)
    create(store, a_run("ended"), a_run("open"), tasks=[ended, a_task("open", slot=Slot.HELD)])
    line = [a_slot(run, since=MOMENT + number) for number, run in enumerate(["ended", "open", "gone", "next"])]
    assert exchange(store, Terms(at_once=3), waiting=line) == ["ended", "open", "gone"]
    with store.transaction() as transaction:
        assert transaction.mend_slots() == 2
    assert ring(store, MOMENT) == (("next", 1),)
    assert exchange(store, TWO) == ["next"]
    with store.transaction() as transaction:
        assert transaction.mend_slots() == 1, "nobody has ever heard of the run called next"
        assert transaction.mend_slots() == 0


def test_a_limit_in_which_somebody_waits_is_looked_at_now_and_then(store: Store) -> None:
    create(store, a_run("a"), tasks=[a_task("a", slot=Slot.HELD)])
    exchange(store, ONE, waiting=[a_slot("a"), a_slot("b", since=MOMENT + 1)])
    assert next_ring(store) is None
    with store.transaction() as transaction:
        assert transaction.mend_slots() == 0
    assert ring(store, MOMENT) == (("b", 1),)


def test_what_is_rolled_back_was_never_granted(store: Store) -> None:
    exchange(store, ONE, waiting=[a_slot("a")])
    with pytest.raises(LookupError), store.transaction() as transaction:
        transaction.lock_limits(["pack"])
        transaction.exchange_slots([a_slot("b")], [a_slot("a")], {"pack": ONE}, MOMENT)
        raise LookupError
    assert exchange(store, TWO, waiting=[a_slot("c")]) == ["c"]
    assert exchange(store, TWO, ended=[a_slot("a")]) == []


def test_whoever_exchanges_at_the_same_time_never_grants_more_than_there_is(store: Store) -> None:
    together = Barrier(4)

    def push(worker: int) -> list[str]:
        together.wait()
        return [
            run
            for number in range(5)
            for run in exchange(store, Terms(at_once=7), waiting=[a_slot(f"{worker}-{number}")])
        ]

    with ThreadPoolExecutor(4) as pool:
        granted = [run for runs in pool.map(push, range(4)) for run in runs]
    assert len(granted) == len(set(granted)) == 7


def test_names_of_any_kind_can_be_limited(store: Store) -> None:
    odd = 'p\0ck\'s "Größe"'
    assert exchange(store, ONE, waiting=[a_slot("a", limit=odd)], limit=odd) == ["a"]
    assert exchange(store, ONE, waiting=[a_slot("b", limit=odd)], limit=odd) == []
    assert exchange(store, ONE, ended=[a_slot("a", limit=odd)], limit=odd) == ["b"]
