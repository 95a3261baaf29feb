"""What people search for is found, the same by every store."""

from __future__ import annotations

import pytest

from engine.clock import SECOND
from engine.decider.validate import check_workflow
from engine.model.status import TaskStatus, WorkflowStatus
from engine.search.condition import HasTask, every
from engine.search.free_text import read_free_text
from engine.search.grammar import read_query
from engine.search.order import read_order
from engine.search.subject import RUNS, TASKS
from engine.store import searching
from engine.store.port import Store
from engine.store.search_port import Query
from engine.testing.memory_store import MemoryStore
from tests.conformance.store.runs import MOMENT, a_run, a_task, create

#: The moment as people write it.
MS = MOMENT // 1_000


@pytest.fixture
def shop(store: Store) -> Store:
    """Return a store with six runs, a the oldest and f the newest; what f has is hidden by its definition."""
    definition = {"name": "pay", "maskedFields": ["card"], "tasks": [{"name": "t", "taskReferenceName": "t"}]}
    with store.transaction() as transaction:
        transaction.put_snapshot({"masks": check_workflow(definition)})
    a = a_run("a", created_at=MOMENT, correlation_id="blue", input={"city": "Köln", "say": 'a "word"\n'}, priority=5)
    b = a_run("b", created_at=MOMENT + SECOND, status=WorkflowStatus.PAUSED, correlation_id="blue_1", version=2)
    failed = {"status": WorkflowStatus.FAILED, "reason": "Too late", "failed_refs": ("pack_1", "s%p"), "event": "e:x"}
    c = a_run("c", created_at=MOMENT + 2 * SECOND, name="ui_refund", ended_at=MOMENT + 5 * SECOND, **failed)
    d = a_run("d", created_at=MOMENT + 3 * SECOND, name="ui_order", status=WorkflowStatus.COMPLETED, parent_id="a")
    e = a_run("e", created_at=MOMENT + 4 * SECOND, name="UI_x", output={"total": 100}, correlation_id="100%")
    f = a_run("f", created_at=MOMENT + 5 * SECOND, name="pay", definition_hash="masks", input={"card": "4111"})
    tasks = [
        a_task(
            "a", 1, status=TaskStatus.COMPLETED, output={"label": "x*y"}, scheduled_at=MOMENT, started_at=MOMENT + 9
        ),
        a_task("a", 2, status=TaskStatus.FAILED, reason="no paper", name="ship", worker="w1"),
        a_task("c", 1, type="SWITCH", name="decide"),
        a_task("c", 2, status=TaskStatus.FAILED, input={"say": "Paper"}),
        a_task("f", 1, input={"card": "4111"}),
    ]
    create(store, a, b, c, d, e, f, tasks=tasks)
    return store


def found(store: Store, query: str = "", words: str = "*", sort: str = "", **page: int) -> str:
    """Search runs; return the ids of the page."""
    condition = every((read_query(query, RUNS), read_free_text(words, RUNS)))
    with store.transaction() as transaction:
        answer = transaction.search_runs(Query(condition=condition, order=read_order(sort, RUNS), **page))
    assert page or answer.total == len(answer.runs)
    assert not answer.at_least and answer.back_to is None
    return "".join(answer.runs)


def tasks_found(store: Store, query: str = "", words: str = "*", sort: str = "", **page: int) -> list[str]:
    """Search tasks; return the ids of the page."""
    condition = every((read_query(query, TASKS), read_free_text(words, TASKS)))
    with store.transaction() as transaction:
        answer = transaction.search_tasks(Query(condition=condition, order=read_order(sort, TASKS), **page))
    assert {each.workflow_id for each in answer.tasks} == set(answer.runs)
    assert page or answer.total == len(answer.tasks)
    return [each.id for each in answer.tasks]


BY_QUERY = {
    "": "fedcba",
    "workflowType = order": "ba",
    "workflowType IN (order, ui_*)": "dcba",
    "workflowType IN (ui_*)": "dc",
    "workflowType = '?i_refund'": "c",
    "workflowType = 'ui\\_order'": "",
    "workflowType != order": "fedc",
    "workflowType STARTS_WITH ui": "dc",
    "NOT workflowType IN (order, ui_*)": "fe",
    "workflowType = order OR workflowType = pay": "fba",
    "workflowType = order OR status = FAILED": "cba",
    "workflowType = nobody": "",
    "workflowType = *": "fedcba",
    "status = FAILED": "c",
    "status IN (FAILED, PAUSED)": "cb",
    "status = running": "fea",
    "status != RUNNING AND status != FAILED": "db",
    "status = *ED": "dcb",
    "workflowType = order AND status = PAUSED": "b",
    "workflowType = order AND status = FAILED": "",
    "correlationId = blue": "a",
    "correlationId = blue*": "ba",
    "correlationId = 'blu??1'": "b",
    "correlationId = 100%": "e",
    "correlationId = BLUE": "",
    "correlationId IS NULL": "fdc",
    "correlationId IS NOT NULL": "eba",
    "correlationId = ''": "fdc",
    "correlationId != blue": "fedcb",
    "NOT (correlationId = blue OR parentWorkflowId = a)": "fecb",
    "workflowId = a": "a",
    "workflowId IN (a, c, nobody)": "ca",
    "parentWorkflowId = a": "d",
    "parentWorkflowId IS NULL AND status = COMPLETED": "",
    f"startTime > {MS + 3_000}": "fe",
    f"startTime >= {MS + 3_000} AND startTime < {MS + 5_000}": "ed",
    f"startTime BETWEEN {MS} AND {MS + 1_000}": "ba",
    f"startTime = {MS + 2_000}": "c",
    "startTime > 2023-11-14T22:13:24Z": "f",
    "startTime = 2023-11-14": "fedcba",
    "startTime > 2023-11-15": "",
    f"endTime < {MS + 90_000}": "c",
    "endTime IS NULL": "fedba",
    "executionTime >= 3000": "c",
    "executionTime = 3000": "c",
    "version = 2": "b",
    "version < 2 AND priority > 4": "a",
    "reasonForIncompletion = Too late": "c",
    "reasonForIncompletion = *late": "c",
    "failedReferenceTaskNames = pack_1": "c",
    "failedReferenceTaskNames = pack": "",
    "failedReferenceTaskNames = pack*": "c",
    "failedReferenceTaskNames = *_1": "c",
    "failedReferenceTaskNames = packs1": "",
    "failedReferenceTaskNames = s%p": "c",
    "failedReferenceTaskNames IS NULL": "fedba",
    "event = e:x": "c",
    "event IS NULL AND status = FAILED": "",
}

BY_CONTENT = {
    ("correlationId = blue AND input = *köln*", "*"): "a",
    ("input = Köln", "*"): "a",
    ("input = 'a \\\"word\\\"'", "*"): "a",
    ("input = city AND status = RUNNING", "*"): "a",
    ("output = 100", "*"): "e",
    ("input = c*n", "*"): "a",
    ("output IS NOT NULL", "*"): "e",
    ("", "köln"): "a",
    ("", "KöLN say"): "a",
    ("", "köln 100"): "",
    ("", "köln | 100"): "ea",
    ("", "too late"): "c",
    ("", '"too late"'): "c",
    ("", "late too"): "c",
    ("", '"late too"'): "",
    ("", "100%"): "e",
    ("", "order -blue"): "d",
    ("status = FAILED", "pack_1"): "c",
    ("", "4111"): "",
    ("input = 4111", "*"): "",
    ("NOT input = 4111", "*"): "fedcba",
    ("NOT input = 9999", "*"): "fedcba",
}


def test_runs_are_found_by_what_is_asked_of_their_fields(shop: Store) -> None:
    assert {query: found(shop, query) for query in BY_QUERY} == BY_QUERY


def test_the_newest_run_of_a_key_is_found(shop: Store) -> None:
    runs = [
        a_run("p", name="pay", idempotency_key="k", created_at=MOMENT + SECOND, status=WorkflowStatus.COMPLETED),
        a_run("o", name="pay", idempotency_key="k", created_at=MOMENT + 2 * SECOND),
        a_run("q", name="pay", idempotency_key="k" + "k" * 300, created_at=MOMENT + 3 * SECOND),
        a_run("r", name="order", idempotency_key="k", created_at=MOMENT + 4 * SECOND),
    ]
    for run in runs:
        create(shop, run)
    with shop.transaction() as transaction:
        last = transaction.last_run_by_key("pay", "k")
        assert last is not None
        assert (last.id, last.status) == ("o", "RUNNING")
        assert transaction.last_run_by_key("pay", "other") is None


def test_words_are_found_in_what_runs_were_given_and_have_made_unless_it_is_hidden(
    shop: Store, request: pytest.FixtureRequest
) -> None:
    outside = "folder" in request.node.name
    for (query, words), ids in BY_CONTENT.items():
        if not outside or not set(ids) & set("ae"):
            assert found(shop, query, words) == ids, (query, words)


def test_runs_are_sorted_by_several_fields(shop: Store) -> None:
    assert found(shop, sort="startTime:ASC") == "abcdef"
    assert found(shop, sort="workflowType:ASC|startTime:DESC") == "ebafdc"
    assert found(shop, sort="workflowType:DESC,version") == "cdfabe"
    assert found(shop, sort="correlationId:DESC") == "baefdc"
    assert found(shop, "NOT correlationId = none", sort="workflowType|correlationId:DESC") == "ebafdc"
    assert found(shop, "NOT correlationId = none", sort="endTime:DESC") == "cfedba"


@pytest.mark.parametrize("query", ["", "workflowType IN (order, pay, ui_*, UI_x)", "NOT correlationId = none"])
def test_pages_follow_one_another(shop: Store, query: str) -> None:
    assert [found(shop, query, start=start, size=4) for start in (0, 4, 8)] == ["fedc", "ba", ""]
    assert found(shop, query, sort="startTime", start=2, size=2) == "cd"
    assert found(shop, query, sort="workflowId", start=2, size=2) == "cd"


def test_runs_are_found_by_their_tasks(shop: Store) -> None:
    with shop.transaction() as transaction:

        def having(query: str) -> list[str]:
            return list(transaction.search_runs(Query(condition=HasTask(read_query(query, TASKS)))).runs)

        assert having("status = FAILED") == ["c", "a"]
        assert having("status = FAILED AND taskDefName = ship") == ["a"]
        assert having("status = FAILED AND workflowType = ui_*") == ["c"]
        assert having("taskDefName = nobody") == []


def test_tasks_are_found_the_newest_runs_first(shop: Store) -> None:
    assert tasks_found(shop) == ["f.1", "c.2", "c.1", "a.2", "a.1"]
    assert tasks_found(shop, start=1, size=2) == ["c.2", "c.1"]
    assert tasks_found(shop, "status = FAILED") == ["c.2", "a.2"]
    assert tasks_found(shop, "workflowId = a") == ["a.2", "a.1"]
    assert tasks_found(shop, "workflowId = a AND status = FAILED AND workerId = w1") == ["a.2"]
    assert tasks_found(shop, "taskId = a.1") == tasks_found(shop, "taskId = a.1*") == ["a.1"]
    assert tasks_found(shop, "taskId IN (c.1, a.2, odd)") == ["c.1", "a.2"]
    assert tasks_found(shop, "taskId = odd") == []
    assert tasks_found(shop, "taskType = SWITCH") == ["c.1"]
    assert tasks_found(shop, "taskType = ship OR taskDefName = decide") == ["c.1", "a.2"]
    assert tasks_found(shop, "workflowType = order AND correlationId = blue AND taskDefName = pack") == ["a.1"]
    assert tasks_found(shop, "queueWaitTime >= 0 AND startTime IS NOT NULL") == ["a.1"]
    assert tasks_found(shop, sort="taskDefName|taskId:DESC") == ["c.1", "f.1", "c.2", "a.1", "a.2"]
    assert tasks_found(shop, "workflowId = a", sort="taskDefName:DESC") == ["a.2", "a.1"]


def test_words_are_found_in_tasks(shop: Store, request: pytest.FixtureRequest) -> None:
    assert tasks_found(shop, words="no paper") == ["a.2"]
    assert tasks_found(shop, words="4111") == []
    if "folder" not in request.node.name:
        assert tasks_found(shop, words="paper") == ["c.2", "a.2"]
        assert tasks_found(shop, words="x\\*y") == ["a.1"]


def test_a_run_is_had_without_its_tasks_and_those_page_by_page(shop: Store) -> None:
    with shop.transaction() as transaction:
        run = transaction.run("a")
        assert run is not None and run.correlation_id == "blue"
        assert transaction.run("nobody") is None
        total, (first,) = transaction.task_page("a", (), 0, 1)
        assert (total, first.id) == (2, "a.1")
        assert [each.id for each in transaction.task_page("a", (), 1, 5)[1]] == ["a.2"]
        total, page = transaction.task_page("a", ["FAILED", "TIMED_OUT"], 0, 5)
        assert (total, [each.id for each in page]) == (1, ["a.2"])
        assert transaction.task_page("nobody", (), 0, 5) == (0, [])
        assert [each.id for each in transaction.tasks_by_seq("a", [2, 1, 9])] == ["a.1", "a.2"]
        assert transaction.tasks_by_seq("a", []) == []


def test_ids_alone_are_listed_the_newest_first(shop: Store) -> None:
    with shop.transaction() as transaction:
        condition = read_query("workflowType = order AND status IN (RUNNING, PAUSED)", RUNS)
        assert transaction.run_ids(condition, 10) == ("b", "a")
        assert transaction.run_ids(condition, 1) == ("b",)


def test_a_search_whose_time_is_up_says_how_far_it_got(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_FIRST_LOOK", 2)
    create(store, *(a_run(str(number), created_at=MOMENT + number) for number in range(5)))
    query = Query(condition=read_query("version != 7", RUNS), seconds=0)
    with store.transaction() as transaction:
        answer = transaction.search_runs(query)
        if isinstance(store, MemoryStore):
            # It tries every run, whatever time that takes.
            assert (answer.total, answer.at_least, answer.back_to) == (5, False, None)
            return
        assert (answer.total, answer.at_least, answer.back_to) == (2, True, MOMENT + 3)
        assert list(answer.runs) == ["4", "3"]
