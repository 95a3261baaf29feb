"""A date that has come rings once, and again when nobody answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from engine.clock import Instant, after
from engine.model.execution import NEVER, Workflow
from engine.model.status import WorkflowStatus
from engine.store.port import Due, Save, Store
from tests.conformance.store.runs import MOMENT, a_run, change, create, save

LEASE = 10.0


def due(identity: str = "run", seconds: float = 0, **fields: object) -> Workflow:
    return a_run(identity, wake_at=after(MOMENT, seconds), **fields)


def ring(store: Store, seconds: float = 0, limit: int = 100) -> list[str]:
    with store.transaction() as transaction:
        return [each.workflow_id for each in transaction.ring(after(MOMENT, seconds), LEASE, limit)]


def test_only_open_runs_whose_date_has_come_ring_the_earliest_first(store: Store) -> None:
    create(
        store,
        due("later", 1),
        due("now"),
        due("early", -5),
        due("paused", -1, status=WorkflowStatus.PAUSED),
        due("ended", -9, status=WorkflowStatus.COMPLETED),
        a_run("never", wake_at=NEVER),
    )
    assert ring(store) == ["early", "paused", "now"]


def test_a_ring_names_the_date_that_was_reached(store: Store) -> None:
    create(store, due(seconds=-5))
    with store.transaction() as transaction:
        assert transaction.ring(MOMENT, LEASE, 1) == (Due("run", after(MOMENT, -5)),)


def test_no_more_ring_than_the_limit_and_the_others_next(store: Store) -> None:
    create(store, *(due(str(number), number - 9) for number in range(5)))
    assert ring(store, limit=2) == ["0", "1"]
    assert ring(store, limit=2) == ["2", "3"]


def test_a_ring_is_not_repeated_until_its_lease_has_passed(store: Store) -> None:
    create(store, due())
    assert ring(store) == ["run"]
    assert ring(store, LEASE - 1) == []
    assert ring(store, LEASE) == ["run"]
    assert ring(store, LEASE + 1) == []


def test_an_answered_ring_is_over_and_the_next_date_rings_although_the_lease_lasts(store: Store) -> None:
    create(store, due())
    assert ring(store) == ["run"]
    save(store, Save(workflow=change(due(), wake_at=after(MOMENT, 1)), loaded_version=1))
    assert ring(store, 0.5) == []
    assert ring(store, 1) == ["run"]


def test_ringing_is_no_save(store: Store) -> None:
    create(store, due())
    ring(store)
    assert save(store, Save(workflow=change(due()), loaded_version=1)) == {"run"}


def test_the_next_ring_is_the_earliest_date_of_any_open_run(store: Store) -> None:
    with store.transaction() as transaction:
        assert transaction.next_ring() is None
    create(store, a_run("never"), due("ended", 1, status=WorkflowStatus.FAILED))
    with store.transaction() as transaction:
        assert transaction.next_ring() is None
    create(store, due("b", 3), due("a", 2))
    with store.transaction() as transaction:
        assert transaction.next_ring() == after(MOMENT, 2)
        assert transaction.next_ring(after(MOMENT, 2)) == after(MOMENT, 3)
        assert transaction.next_ring(after(MOMENT, 3)) is None


def test_timekeepers_at_the_same_time_never_ring_one_run_twice(store: Store) -> None:
    create(store, *(due(f"run-{number:03}") for number in range(200)))
    together = Barrier(4)

    def keep_ringing(_: int) -> list[str]:
        rung: list[str] = []
        together.wait()
        for _ in range(20):
            rung += ring(store, limit=7)
        return rung

    with ThreadPoolExecutor(4) as pool:
        every = [identity for rung in pool.map(keep_ringing, range(4)) for identity in rung]
    assert sorted(every) == [f"run-{number:03}" for number in range(200)]


def test_microseconds_are_kept(store: Store) -> None:
    create(store, a_run(wake_at=Instant(MOMENT + 1)))
    with store.transaction() as transaction:
        assert transaction.next_ring() == MOMENT + 1
