"""Whatever is asked, a database finds exactly the runs and tasks of which the condition holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.errors import BadMessage
from engine.model.status import TaskStatus, WorkflowStatus
from engine.search.condition import every, opposite
from engine.search.free_text import read_free_text
from engine.search.grammar import read_query
from engine.search.order import read_order
from engine.search.subject import RUNS, TASKS, Subject
from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.port import Store
from engine.store.search_port import Query
from engine.testing.memory_store import MemoryStore
from tests.conformance.store.runs import MOMENT, a_run, a_task, create

#: Texts that databases take for something else where they are let.
ODD = ("a", "A", "a%", "a_b", "a*b", "a?", "[a]", "é", "É", 'a"b', "a'b", "a\\b", "!", "", "b c", "NULL", "\U0001f600")

STATUSES = tuple(WorkflowStatus)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    """Return two stores with the same runs, one in a database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('search') / 'baton.db'}"
    migrate(url)
    database, memory = open_store(url), MemoryStore()
    for store in (database, memory):
        runs = [
            a_run(
                f"r{number}",
                name=ODD[number % len(ODD)] or "n",
                status=STATUSES[number % 6],
                version=number % 3,
                priority=number % 5,
                correlation_id=ODD[-number % len(ODD)] if number % 4 else None,
                parent_id=f"r{number - 1}" if number % 5 == 1 else None,
                created_at=MOMENT + number // 2 * 1_000_000,
                ended_at=MOMENT + number * 1_000_000 if number % 2 else 0,
                reason=ODD[number * 7 % len(ODD)] if number % 3 else None,
                failed_refs=tuple(text for text in ODD[number % 5 : number % 7] if text),
                input={"k": ODD[number * 3 % len(ODD)]} if number % 2 else {},
                output={"x": number} if number % 3 else {},
            )
            for number in range(40)
        ]
        tasks = [
            a_task(
                f"r{run}", seq, name=ODD[seq], status=tuple(TaskStatus)[(run + seq) % 9], worker=ODD[run % 17] or None
            )
            for run in range(0, 40, 3)
            for seq in (1, 2)
        ]
        create(store, *runs, tasks=tasks)
    yield database, memory
    database.close()


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


VALUES = st.sampled_from(ODD).map(_quoted) | st.sampled_from(["'*'", "'a*'", "'*b'", "'?'", "r1*", "'\\*'", "'*\\\\*'"])
TEXT_CLAUSES = st.builds(
    lambda field, operator, value: f"{field} {operator} {value}",
    st.sampled_from(
        ["workflowType", "correlationId", "reasonForIncompletion", "parentWorkflowId", "workflowId", "input"]
    ),
    st.sampled_from(["=", "!="]),
    VALUES,
)
OTHER_CLAUSES = st.sampled_from(
    [
        "status = FAILED", "status IN (RUNNING, PAUSED)", "status != COMPLETED", "version > 1", "version < 2",
        f"startTime > {MOMENT // 1000 + 9_000}", f"startTime < {MOMENT // 1000 + 4_000}", "endTime IS NULL",
        "executionTime > 3000", "correlationId IS NULL", "reasonForIncompletion IS NOT NULL", "output = 1",
        "failedReferenceTaskNames = a*", "failedReferenceTaskNames = '[a]'", "failedReferenceTaskNames = '*b'",
        "workflowType IN (a, 'a%', A)", "workflowType STARTS_WITH a", "input IS NULL", "priority = 3",
    ]
)  # fmt: skip
QUERIES = st.recursive(
    TEXT_CLAUSES | OTHER_CLAUSES,
    lambda inner: (
        st.builds(lambda a, b: f"({a} AND {b})", inner, inner)
        | st.builds(lambda a, b: f"({a} OR {b})", inner, inner)
        | inner.map(lambda each: f"NOT {each}")
    ),
    max_leaves=5,
)
WORDS = st.lists(st.sampled_from(["a", "b c", "a_b", "%", '"b c"', "-a", "|", "1", "null"]), max_size=3).map(" ".join)
SORTS = st.lists(
    st.sampled_from(["startTime", "workflowType:DESC", "status", "version:DESC", "correlationId", "endTime:DESC"]),
    max_size=3,
).map("|".join)

_settings = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def asked(query: str, words: str, sort: str, subject: Subject, start: int, size: int) -> Query:
    condition = every((read_query(query, subject), read_free_text(words, subject)))
    return Query(condition=condition, order=read_order(sort, subject), start=start, size=size)


def test_runs(stores: tuple[Store, Store]) -> None:
    @_settings
    @given(QUERIES, WORDS, SORTS, st.integers(0, 5), st.integers(1, 50))
    @example("status IN (RUNNING, PAUSED)", "", "startTime", 0, 1)
    @example("workflowType = a", "", "startTime|workflowType:DESC", 0, 50)
    @example("input = 'a*'", "a", "startTime|status", 1, 3)
    def found_alike(query: str, words: str, sort: str, start: int, size: int) -> None:
        try:
            wanted = asked(query, words, sort, RUNS, start, size)
        except BadMessage:
            return
        answers = []
        for store in stores:
            with store.transaction() as transaction:
                found = transaction.search_runs(wanted)
                others = transaction.search_runs(Query(condition=opposite(wanted.condition)))
            assert found.total + others.total == 40
            answers.append((found.total, list(found.runs)))
        assert answers[0] == answers[1]

    found_alike()


def test_tasks(stores: tuple[Store, Store]) -> None:
    clauses = st.sampled_from(
        [
            "taskDefName = a", "taskDefName = 'a%'", "status = FAILED", "workerId = 'a*'", "workerId IS NULL",
            "workflowType = a", "workflowId IN (r3, r6)", "taskId = r3.1", "taskId IN (r3.1, r6.2)", "taskId = r*.2",
            "taskType = A", "workflowPriority > 2", "correlationId != a", "referenceTaskName = pack_1",
        ]
    )  # fmt: skip
    queries = st.lists(clauses, min_size=1, max_size=3).flatmap(
        lambda parts: st.sampled_from([" AND ".join(parts), " OR ".join(parts), f"NOT ({' OR '.join(parts)})"])
    )

    @_settings
    @given(queries, st.sampled_from(["", "taskDefName", "workerId:DESC|status"]), st.integers(0, 3), st.integers(1, 50))
    def found_alike(query: str, sort: str, start: int, size: int) -> None:
        wanted = asked(query, "*", sort, TASKS, start, size)
        answers = []
        for store in stores:
            with store.transaction() as transaction:
                found = transaction.search_tasks(wanted)
            answers.append((found.total, [each.id for each in found.tasks]))
        assert answers[0] == answers[1]

    found_alike()
