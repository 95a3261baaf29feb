"""Schedules are kept as written, come up once when their date has come, and remember what became of their dates."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import msgspec
import pytest

from engine.clock import Instant, after
from engine.model.execution import NEVER
from engine.model.schedule import ExecutionState, Progress, ScheduleExecution
from engine.model.status import WorkflowStatus
from engine.search.condition import Matches
from engine.search.free_text import read_free_text
from engine.search.grammar import read_query
from engine.search.order import read_order
from engine.search.subject import DATE_ID, SCHEDULE_EXECUTIONS
from engine.store.port import Store
from engine.store.schedule_port import ExecutionQuery, ScheduleRow
from tests.conformance.store.runs import MOMENT, a_run, create
from tests.conformance.store.test_names import ALIKE


def a_schedule(name: str = "nightly", wake_at: int = MOMENT, **progress: Any) -> ScheduleRow:
    document = {"name": name, "cronExpression": "0 0 3 * * *", "startWorkflowRequest": {"name": "order"}}
    return ScheduleRow(name, document, Progress(next_at=MOMENT, wake_at=Instant(wake_at), **progress))


def an_execution(identity: str = "e", seconds: float = 0, **fields: Any) -> ScheduleExecution:
    given: dict[str, Any] = {
        "schedule": "nightly",
        "at": after(MOMENT, seconds),
        "cron": "0 0 3 * * *",
        "zone": "Europe/Berlin",
        "state": ExecutionState.EXECUTED,
        "workflow_name": "order",
        "request": {"name": "order", "input": {"b": 1, "a": None}},
        "executed_at": after(MOMENT, seconds + 1),
        "sent_at": after(MOMENT, seconds + 1),
    }
    return ScheduleExecution(id=identity, **(given | fields))


def keep(store: Store, *rows: ScheduleRow) -> None:
    with store.transaction() as transaction:
        for row in rows:
            transaction.put_schedule(row)


def note(store: Store, *executions: ScheduleExecution) -> None:
    with store.transaction() as transaction:
        transaction.put_executions(executions)


def listed(store: Store, **query: Any) -> tuple[int, list[str]]:
    with store.transaction() as transaction:
        total, found = transaction.executions(ExecutionQuery(**query))
    return total, [each.id for each in found]


def due(store: Store, at: int = MOMENT, limit: int = 100) -> list[str]:
    with store.transaction() as transaction:
        return [row.name for row in transaction.due_schedules(Instant(at), limit)]


def test_a_schedule_is_kept_as_it_was_written_under_exactly_its_name(store: Store) -> None:
    keep(store, *map(a_schedule, ALIKE))
    with store.transaction() as transaction:
        assert [row.name for row in transaction.schedules()] == sorted(ALIKE)
        for name in ALIKE:
            assert transaction.schedule(name) == a_schedule(name)
        assert transaction.schedule("other") is None


def test_one_of_the_same_name_takes_its_place(store: Store) -> None:
    keep(store, a_schedule(last_run="before", buffered_at=MOMENT), a_schedule(wake_at=NEVER, last_run="x" * 600))
    with store.transaction() as transaction:
        assert transaction.schedules() == (a_schedule(wake_at=NEVER, last_run="x" * 600),)


def test_progress_changes_and_the_document_stays(store: Store) -> None:
    keep(store, a_schedule(), a_schedule("other"))
    moved = Progress(next_at=after(MOMENT, 9), wake_at=after(MOMENT, 8), buffered_at=after(MOMENT, 7), last_run="run")
    with store.transaction() as transaction:
        transaction.put_progress("nightly", moved)
        transaction.put_progress("nobody", moved)
    with store.transaction() as transaction:
        assert transaction.schedule("nightly") == msgspec.structs.replace(a_schedule(), progress=moved)
        assert transaction.schedule("other") == a_schedule("other")
        assert transaction.schedule("nobody") is None


def test_those_whose_date_has_come_are_due_the_earliest_first(store: Store) -> None:
    keep(store, a_schedule("b", MOMENT - 1), a_schedule("a"), a_schedule("c", MOMENT + 1), a_schedule("d", NEVER))
    assert due(store) == ["b", "a"]
    assert due(store, limit=1) == ["b"]
    with store.transaction() as transaction:
        assert transaction.next_schedule() == MOMENT - 1


def test_where_none_has_a_date_there_is_no_next_one(store: Store) -> None:
    keep(store, a_schedule(wake_at=NEVER))
    with store.transaction() as transaction:
        assert transaction.next_schedule() is None


def test_a_schedule_that_is_forgotten_takes_its_executions_along(store: Store) -> None:
    keep(store, a_schedule(), a_schedule("other"))
    note(store, an_execution(), an_execution("f", schedule="other"))
    with store.transaction() as transaction:
        assert transaction.drop_schedule("nightly")
        assert not transaction.drop_schedule("nightly")
    assert listed(store) == (1, ["f"])
    with store.transaction() as transaction:
        assert [row.name for row in transaction.schedules()] == ["other"]


def test_an_execution_is_kept_whole_and_later_news_change_how_it_ended(store: Store) -> None:
    first = an_execution(state=ExecutionState.POLLED, cancels="run before")
    note(store, first)
    with store.transaction() as transaction:
        assert transaction.executions(ExecutionQuery()) == (1, (first,))
    later = msgspec.structs.replace(first, state=ExecutionState.FAILED, reason="gone", sent_at=after(MOMENT, 50))
    note(store, msgspec.structs.replace(later, request={}), an_execution("other"))
    with store.transaction() as transaction:
        assert transaction.executions(ExecutionQuery(condition=Matches(DATE_ID, ("e",)))) == (1, (later,))


def test_executions_are_found_by_what_they_are_about_the_latest_date_first(store: Store) -> None:
    note(
        store,
        an_execution("a", 1),
        an_execution("b", 3, state=ExecutionState.FAILED),
        an_execution("c", 2, schedule="weekly"),
        an_execution("d", 3, workflow_name="ship", schedule="weekly"),
    )
    assert listed(store) == (4, ["d", "b", "c", "a"])
    assert listed(store, start=1, size=2) == (4, ["b", "c"])
    for query, ids in (
        ("scheduleName IN (weekly, nobody)", ["d", "c"]),
        ("state IN (FAILED, POLLED)", ["b"]),
        ("workflowName = order AND scheduleName = week*", ["c"]),
        ("executionId = a OR workflowId = d", ["d", "a"]),
        ("NOT scheduleName = nightly AND reason IS NULL", ["d", "c"]),
        (f"scheduledTime > {MOMENT // 1_000 + 2_000}", ["d", "b"]),
    ):
        assert listed(store, condition=read_query(query, SCHEDULE_EXECUTIONS)) == (len(ids), ids), query
    assert listed(store, condition=read_free_text("ship WEEKLY", SCHEDULE_EXECUTIONS)) == (1, ["d"])
    order = read_order("workflowName|scheduledTime:ASC", SCHEDULE_EXECUTIONS)
    assert listed(store, order=order) == (4, ["a", "c", "b", "d"])


def test_those_whose_run_was_not_seen_are_named_the_longest_asked_first(store: Store) -> None:
    polled = {"state": ExecutionState.POLLED}
    note(store, an_execution("a", 3, **polled), an_execution("b", 1, **polled), an_execution("c"))
    with store.transaction() as transaction:
        assert [each.id for each in transaction.unseen_executions(10)] == ["b", "a"]
        assert [each.id for each in transaction.unseen_executions(1)] == ["b"]


def test_only_the_latest_executions_stay_and_those_that_are_not_seen_yet(store: Store) -> None:
    note(store, *(an_execution(str(number), number) for number in range(5)))
    note(store, an_execution("unseen", -1, state=ExecutionState.POLLED), an_execution("other", -2, schedule="weekly"))
    with store.transaction() as transaction:
        transaction.trim_executions("nightly", 2)
    assert listed(store) == (4, ["4", "3", "unseen", "other"])
    with store.transaction() as transaction:
        transaction.trim_executions("nightly", 2)
        transaction.trim_executions("nobody", 2)
    assert listed(store)[0] == 4


def test_it_is_told_how_runs_stand(store: Store) -> None:
    create(store, a_run("open"), a_run("ended", status=WorkflowStatus.COMPLETED))
    with store.transaction() as transaction:
        found = transaction.run_statuses(["open", "ended", "unknown"])
        assert found == {"open": WorkflowStatus.RUNNING, "ended": WorkflowStatus.COMPLETED}
        assert transaction.run_statuses([]) == {}


@pytest.mark.parametrize("rounds", [30])
def test_schedulers_at_the_same_time_never_take_up_one_date_twice(store: Store, rounds: int) -> None:
    keep(store, *(a_schedule(f"s{number:03}") for number in range(60)))
    together = Barrier(4)

    def take_up(_: int) -> list[str]:
        taken: list[str] = []
        together.wait()
        for _ in range(rounds):
            with store.transaction() as transaction:
                for row in transaction.due_schedules(MOMENT, 5):
                    transaction.put_progress(row.name, Progress())
                    taken.append(row.name)
        return taken

    with ThreadPoolExecutor(4) as pool:
        every = [name for taken in pool.map(take_up, range(4)) for name in taken]
    assert sorted(every) == [f"s{number:03}" for number in range(60)]
