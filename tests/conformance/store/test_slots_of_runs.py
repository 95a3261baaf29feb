"""Runs that stand in line for a slot: they have a number below 0, and their own row says what their slot is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from engine.clock import Instant
from engine.errors import StoreUnavailable
from engine.model.definition import WorkflowDef
from engine.model.execution import Workflow
from engine.model.limit import limit_of_runs
from engine.model.status import Slot, WorkflowStatus
from engine.store.port import Save, SlotTask, Store
from tests.conformance.store.runs import MOMENT, a_run, change, create, load, save
from tests.conformance.store.test_slots import ONE, TWO, exchange, next_ring, ring

NORTH = limit_of_runs("order", "100% north_")


def in_line(run: str, *, number: int = 1, limit: str = NORTH, since: int = MOMENT) -> SlotTask:
    return SlotTask(limit=limit, workflow_id=run, seq=-number, since=Instant(since))


def waiting(run: str, number: int = 1) -> Workflow:
    return a_run(run, slot=Slot.WAITING, slot_no=number, rate_limit_key="100% north_")


def mend(store: Store) -> int:
    with store.transaction() as transaction:
        return transaction.mend_slots()


def unsent(store: Store) -> list[str]:
    with store.transaction() as transaction:
        return [run for run, _ in transaction.unsent_grants(None, None)]


def taken(store: Store, limit: str = NORTH) -> int:
    with store.transaction() as transaction:
        return transaction.slots_taken(limit)


def test_a_run_keeps_its_key_and_what_its_slot_is(store: Store) -> None:
    create(store, waiting("a"))
    found = load(store, "a").workflow
    assert (found.rate_limit_key, found.slot, found.slot_no) == ("100% north_", Slot.WAITING, 1)
    save(store, Save(workflow=change(found, slot=Slot.HELD), loaded_version=1))
    assert load(store, "a").workflow.slot is Slot.HELD


def test_slots_that_are_held_and_waited_for_are_counted(store: Store) -> None:
    assert taken(store) == 0
    exchange(store, ONE, waiting=[in_line("a"), in_line("b", since=MOMENT + 1)], limit=NORTH)
    assert (taken(store), taken(store, "order\nsouth")) == (2, 0)
    exchange(store, ONE, ended=[in_line("a")], limit=NORTH)
    assert taken(store) == 1


def test_a_grant_that_its_run_has_not_taken_up_is_found_by_its_number(store: Store) -> None:
    create(store, waiting("a", 2), waiting("b"))
    exchange(store, TWO, waiting=[in_line("a", number=2), in_line("b", since=MOMENT + 1)], limit=NORTH)
    assert unsent(store) == ["a", "b"]
    held = change(load(store, "a").workflow, slot=Slot.HELD)
    save(store, Save(workflow=held, loaded_version=1))
    assert unsent(store) == ["b"]
    save(store, Save(workflow=change(load(store, "b").workflow, slot_no=2), loaded_version=1))
    assert unsent(store) == []


def test_slots_of_runs_that_have_ended_or_are_gone_are_taken_back(store: Store) -> None:
    ended = a_run("ended", status=WorkflowStatus.COMPLETED, slot_no=1, rate_limit_key="100% north_")
    again = a_run("again", slot=Slot.WAITING, slot_no=2, rate_limit_key="100% north_")
    create(store, ended, again, waiting("open"))
    line = [
        in_line(run, since=MOMENT + place) for place, run in enumerate(["ended", "gone", "again", "open", "gone_too"])
    ]
    assert exchange(store, TWO, waiting=line, limit=NORTH) == ["ended", "gone"]
    assert mend(store) == 4
    assert exchange(store, TWO, limit=NORTH) == ["open"]
    assert mend(store) == 0


def test_a_limit_for_runs_under_which_nobody_stands_is_forgotten_and_made_anew(store: Store) -> None:
    create(store, waiting("a"))
    exchange(store, ONE, waiting=[in_line("a"), in_line("b", since=MOMENT + 1)], limit=NORTH)
    mend(store)
    assert ring(store, MOMENT) == (), "nobody but b stood in line, whom nobody knows"
    exchange(store, ONE, ended=[in_line("a")], limit=NORTH)
    mend(store)
    with store.transaction() as transaction:
        transaction.register_workflow(WorkflowDef(name="order"), overwrite=True)
    assert next_ring(store) is None, "there is no limit left that could ring"
    assert exchange(store, ONE, waiting=[in_line("c")], limit=NORTH) == ["c"]


def test_the_limit_of_a_task_is_never_forgotten(store: Store) -> None:
    exchange(store, ONE, waiting=[in_line("a", limit="pack")], ended=[in_line("a", limit="pack")], limit="pack")
    mend(store)
    with store.transaction() as transaction:
        transaction.lock_limits(["pack"])


def test_registering_or_forgetting_a_workflow_has_the_limits_of_its_runs_looked_at_now(store: Store) -> None:
    south, other = limit_of_runs("order", "south"), limit_of_runs("orders", "north")
    for limit in (NORTH, south, other):
        line = [in_line(f"{limit} 1", limit=limit), in_line(f"{limit} 2", limit=limit, since=MOMENT + 1)]
        exchange(store, ONE, waiting=line, limit=limit)
    for happen in (
        lambda transaction: transaction.register_workflow(WorkflowDef(name="order"), overwrite=True),
        lambda transaction: transaction.unregister_workflow("order", 1),
    ):
        with store.transaction() as transaction:
            happen(transaction)
        assert sorted(ring(store, MOMENT)) == sorted([(f"{NORTH} 2", -1), (f"{south} 2", -1)])
        for limit in (NORTH, south):
            exchange(store, ONE, limit=limit)


def test_a_limit_that_is_forgotten_while_others_come_to_it_is_no_trap(store: Store) -> None:
    together = Barrier(3)

    def push(worker: int) -> None:
        together.wait()
        for number in range(10):
            come_and_go(store, f"{worker}-{number}")

    def forget() -> None:
        together.wait()
        for _ in range(10):
            mend(store)

    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(push, 0), pool.submit(push, 1), pool.submit(forget)]
        for job in jobs:
            job.result()
    assert taken(store) == 0


def come_and_go(store: Store, run: str) -> None:
    """Stand in line and leave again; what is told to try again does."""
    while True:
        try:
            exchange(store, ONE, waiting=[in_line(run)], limit=NORTH)
            exchange(store, ONE, ended=[in_line(run)], limit=NORTH)
        except StoreUnavailable:
            continue
        return
