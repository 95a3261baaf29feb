"""Which tasks have stood in their queues for some time: what is compared with the messages that are there."""

from __future__ import annotations

from typing import Any

from engine.clock import Instant, after
from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.port import Store
from tests.conformance.store.runs import MOMENT, a_run, a_task, create


def make(store: Store, name: str, run: WorkflowStatus = WorkflowStatus.RUNNING, **fields: Any) -> None:
    """Store a run with one task that was published at the usual moment, unless fields say otherwise."""
    published = {"queue": "resize", "status": TaskStatus.SCHEDULED, "dispatched": True}
    given = {**published, "scheduled_at": MOMENT, "visible_at": MOMENT, **fields}
    create(store, a_run(name, status=run), tasks=[a_task(name, **given)])


def scheduled(store: Store, before: Instant) -> dict[str, int]:
    with store.transaction() as transaction:
        return transaction.scheduled_tasks(before)


def test_published_tasks_of_open_runs_are_counted_by_queue(store: Store) -> None:
    make(store, "one")
    make(store, "two")
    make(store, "paused", WorkflowStatus.PAUSED, queue="print")
    make(store, "ended", WorkflowStatus.FAILED)
    assert scheduled(store, MOMENT) == {"resize": 2, "print": 1}


def test_what_is_not_in_a_queue_or_not_for_long_is_left_out(store: Store) -> None:
    make(store, "in progress", status=TaskStatus.IN_PROGRESS)
    make(store, "delayed", dispatched=False)
    make(store, "the engine's own", queue="")
    make(store, "new", scheduled_at=after(MOMENT, 1), visible_at=after(MOMENT, 1))
    assert scheduled(store, MOMENT) == {}


def test_one_that_was_published_again_has_to_wait_twice_as_long_again(store: Store) -> None:
    make(store, "again", visible_at=after(MOMENT, 10))
    assert scheduled(store, after(MOMENT, 29)) == {}
    assert scheduled(store, after(MOMENT, 30)) == {"resize": 1}


def test_their_runs_come_page_by_page(store: Store) -> None:
    names = [f"run-{number}" for number in range(5)]
    for name in names:
        make(store, name)
    make(store, "run-9", queue="print")
    with store.transaction() as transaction:
        first = transaction.runs_scheduled_in("resize", MOMENT, "", 3)
        second = transaction.runs_scheduled_in("resize", MOMENT, first[-1], 3)
        last = transaction.runs_scheduled_in("resize", MOMENT, second[-1], 3)
    assert (first, second, last) == (tuple(names[:3]), tuple(names[3:]), ())
