"""Runs are listed newest first, by what people look for."""

from __future__ import annotations

import pytest

from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.port import Store, WorkflowQuery
from tests.conformance.store.runs import MOMENT, a_run, a_task, create


@pytest.fixture
def shop(store: Store) -> Store:
    """Return a store with four runs, a the oldest and d the newest."""
    create(
        store,
        a_run("a", created_at=MOMENT, correlation_id="blue"),
        a_run("c", created_at=MOMENT + 2, name="refund", status=WorkflowStatus.FAILED),
        a_run("b", created_at=MOMENT + 1, status=WorkflowStatus.PAUSED, correlation_id="blue"),
        a_run("d", created_at=MOMENT + 3, status=WorkflowStatus.COMPLETED, parent_id="a"),
        tasks=[
            a_task("a", 1),
            a_task("a", 2, status=TaskStatus.IN_PROGRESS),
            a_task("a", 3, status=TaskStatus.COMPLETED),
            a_task("a", 4, queue=""),
            a_task("b", 1, queue="ship"),
            a_task("c", 1),
        ],
    )
    return store


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (WorkflowQuery(), "dcba"),
        (WorkflowQuery(name="order"), "dba"),
        (WorkflowQuery(statuses=("FAILED", "PAUSED")), "cb"),
        (WorkflowQuery(name="order", statuses=("FAILED",)), ""),
        (WorkflowQuery(correlation_id="blue"), "ba"),
        (WorkflowQuery(parent_id="a"), "d"),
        (WorkflowQuery(name="or\0der"), ""),
    ],
)
def test_runs_are_found_newest_first(shop: Store, query: WorkflowQuery, found: str) -> None:
    with shop.transaction() as transaction:
        total, page = transaction.find(query)
    assert [run.id for run in page] == list(found)
    assert total == len(found)


def test_a_page_says_how_many_there_are_in_all(shop: Store) -> None:
    with shop.transaction() as transaction:
        total, page = transaction.find(WorkflowQuery(start=1, size=2))
    assert (total, [run.id for run in page]) == (4, ["c", "b"])


def test_a_found_run_is_whole(shop: Store) -> None:
    with shop.transaction() as transaction:
        _, (run,) = transaction.find(WorkflowQuery(name="refund"))
    assert run == a_run("c", created_at=MOMENT + 2, name="refund", status=WorkflowStatus.FAILED)


def test_open_runs_are_walked_through_page_by_page(shop: Store) -> None:
    with shop.transaction() as transaction:
        assert transaction.open_workflow_ids("", 1) == ("a",)
        assert transaction.open_workflow_ids("a", 1) == ("b",)
        assert transaction.open_workflow_ids("b", 1) == ()


def test_failed_runs_whose_failure_workflow_has_not_begun_are_found_page_by_page(store: Store) -> None:
    failed = {"status": WorkflowStatus.FAILED, "failure_workflow_id": "nowhere"}
    create(
        store,
        a_run("a", **failed),
        a_run("b", **failed),
        a_run("c", status=WorkflowStatus.TIMED_OUT, failure_workflow_id="d"),
        a_run("d"),
        a_run("e", status=WorkflowStatus.FAILED),
        a_run("f", status=WorkflowStatus.COMPLETED, failure_workflow_id="nowhere"),
    )
    with store.transaction() as transaction:
        assert transaction.unstarted_failure_workflows("", 1) == ("a",)
        assert transaction.unstarted_failure_workflows("a", 5) == ("b",)


def test_statistics_count_runs_by_status_and_open_tasks_of_open_runs_by_queue(shop: Store) -> None:
    with shop.transaction() as transaction:
        assert transaction.statistics() == {
            "workflows": {"RUNNING": 1, "PAUSED": 1, "FAILED": 1, "COMPLETED": 1},
            "tasks": {"pack": {"SCHEDULED": 1, "IN_PROGRESS": 1}, "ship": {"SCHEDULED": 1}},
        }
