"""Routes that search: runs by their fields or by those of their tasks, and tasks (reference 5.2, 5.4, 5.12)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from engine.api import shown
from engine.api.search import Search, found_answer
from engine.search.condition import Condition, Present, opposite
from engine.search.subject import RUN_PARENT, RUNS, TASKS
from engine.store.port import Store

_TopLevel = Annotated[bool, Query(alias="topLevelOnly")]


def search_routes(store: Store) -> APIRouter:
    """Return the routes, which stand before those of one run or task, whose id is no ``search``."""
    router = APIRouter(prefix="/api", tags=["search"])
    _runs(router, store)
    _runs_by_tasks(router, store)
    _tasks(router, store)
    return router


def _runs(router: APIRouter, store: Store) -> None:
    @router.get("/workflow/search")
    def search(asked: Search, top_level: _TopLevel = False) -> Response:
        """Find runs; the newest come first unless `sort` says otherwise."""
        with store.transaction() as tx:
            found = tx.search_runs(asked.read(RUNS, *_further(top_level)))
            return found_answer(found, shown.summaries(tx, found))

    @router.get("/workflow/search-v2")
    def search_v2(asked: Search, top_level: _TopLevel = False) -> Response:
        """Find runs, each shown whole."""
        with store.transaction() as tx:
            found = tx.search_runs(asked.read(RUNS, *_further(top_level)))
            return found_answer(found, shown.runs(tx, found))


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


def _further(top_level: bool) -> tuple[Condition, ...]:
    return (opposite(Present(RUN_PARENT)),) if top_level else ()
