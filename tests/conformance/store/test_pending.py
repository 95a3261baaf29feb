"""Open tasks of one name or type, over all runs, and how many runs stand how."""

from __future__ import annotations

from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.port import Store
from tests.conformance.store.runs import a_run, a_task, create


def test_open_tasks_of_open_runs_are_found_by_name_or_type(store: Store) -> None:
    create(
        store,
        a_run("a"),
        a_run("b", status=WorkflowStatus.PAUSED),
        a_run("c", status=WorkflowStatus.FAILED),
        tasks=[
            a_task("a", 1),
            a_task("a", 2, status=TaskStatus.IN_PROGRESS),
            a_task("a", 3, status=TaskStatus.COMPLETED),
            a_task("a", 4, name="ship"),
            a_task("b", 1, name="call", type="HTTP"),
            a_task("c", 1),
        ],
    )
    with store.transaction() as transaction:
        assert transaction.open_tasks("pack", 0, 10) == (("a", 1), ("a", 2))
        assert transaction.open_tasks("pack", 1, 10) == (("a", 2),)
        assert transaction.open_tasks("pack", 0, 1) == (("a", 1),)
        assert transaction.open_tasks("HTTP", 0, 10) == transaction.open_tasks("call", 0, 10) == (("b", 1),)
        assert transaction.open_tasks("pa\0ck", 0, 10) == ()


def test_runs_are_counted_by_their_status(store: Store) -> None:
    create(
        store,
        a_run("a"),
        a_run("b", name="other"),
        a_run("c", status=WorkflowStatus.FAILED),
        a_run("d", status=WorkflowStatus.FAILED, name="third"),
    )
    with store.transaction() as transaction:
        everything = transaction.count_runs()
        two = transaction.count_runs(["other", "third", "unknown", "a\0b"])
        none = transaction.count_runs([])
    assert {status: count for status, count in everything.items() if count} == {"RUNNING": 2, "FAILED": 2}
    assert {status: count for status, count in two.items() if count} == {"RUNNING": 1, "FAILED": 1}
    assert none == dict.fromkeys(WorkflowStatus, 0)
