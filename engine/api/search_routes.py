"""Routes that search: runs by their fields or by those of their tasks, and tasks (reference 5.2, 5.4, 5.12)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from engine.api import shown
from engine.api.classifiers import Classifiers
from engine.api.search import Asked, Search, found_answer
from engine.search.condition import Present, opposite
from engine.search.subject import RUN_PARENT, RUNS, TASKS
from engine.store.port import Store, Transaction
from engine.store.search_port import FoundRuns


class _Further(Struct, frozen=True):
    """What a search for runs may want beside its query."""

    top_level: bool = False
    classifier: str | None = None


def _further(
    top_level: Annotated[bool, Query(alias="topLevelOnly")] = False, classifier: str | None = None
) -> _Further:
    return _Further(top_level, classifier)


Further = Annotated[_Further, Depends(_further)]


def search_routes(store: Store) -> APIRouter:
    """Return the routes, which stand before those of one run or task, whose id is no ``search``."""
    router = APIRouter(prefix="/api", tags=["search"])
    _runs(router, store)
    _runs_by_tasks(router, store)
    _tasks(router, store)
    return router


def _runs(router: APIRouter, store: Store) -> None:
    classifiers = Classifiers()

    def found(tx: Transaction, asked: Asked, further: _Further) -> FoundRuns:
        top_level = (opposite(Present(RUN_PARENT)),) if further.top_level else ()
        query = asked.read(RUNS, classifiers.of(further.classifier), *top_level)
        return tx.search_runs(replace(query, condition=classifiers.as_names(tx, query.condition)))

    @router.get("/workflow/search")
    def search(asked: Search, further: Further) -> Response:
        """Find runs; the newest come first unless `sort` says otherwise."""
        with store.transaction() as tx:
            runs = found(tx, asked, further)
            return found_answer(runs, shown.summaries(tx, runs))

    @router.get("/workflow/search-v2")
    def search_v2(asked: Search, further: Further) -> Response:
        """Find runs, each shown whole but for its tasks."""
        with store.transaction() as tx:
            runs = found(tx, asked, further)
            return found_answer(runs, shown.runs(tx, runs))


def _runs_by_tasks(router: APIRouter, store: Store) -> None:
    @router.get("/workflow/search-by-tasks")
    def search_by_tasks(asked: Search) -> Response:
        """Find runs by their tasks."""
        with store.transaction() as tx:
            found = tx.search_runs(asked.read_by_tasks())
            return found_answer(found, shown.summaries(tx, found))

    @router.get("/workflow/search-by-tasks-v2")
    def search_by_tasks_v2(asked: Search) -> Response:
        """Find runs by their tasks, each shown whole."""
        with store.transaction() as tx:
            found = tx.search_runs(asked.read_by_tasks())
            return found_answer(found, shown.runs(tx, found))


def _tasks(router: APIRouter, store: Store) -> None:
    @router.get("/tasks/search")
    def search_tasks(asked: Search) -> Response:
        """Find tasks."""
        with store.transaction() as tx:
            found = tx.search_tasks(asked.read(TASKS))
            return found_answer(found, shown.task_summaries(tx, found))

    @router.get("/tasks/search-v2")
    def search_tasks_v2(asked: Search) -> Response:
        """Find tasks, each shown whole."""
        with store.transaction() as tx:
            found = tx.search_tasks(asked.read(TASKS))
            return found_answer(found, shown.tasks(tx, found))
