"""Routes that search: runs by their fields or by those of their tasks, and tasks (reference 5.2, 5.4, 5.12)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from engine.api.search import Search, found_answer
from engine.api.searches import Further, Searches
from engine.store.port import Store


def _further(top_level: Annotated[bool, Query(alias="topLevelOnly")] = False, classifier: str | None = None) -> Further:
    return Further(top_level, classifier)


_Further = Annotated[Further, Depends(_further)]


def search_routes(store: Store) -> APIRouter:
    """Return the routes, which stand before those of one run or task, whose id is no ``search``."""
    router = APIRouter(prefix="/api", tags=["search"])
    searches = Searches(store)

    @router.get("/workflow/search")
    def search(asked: Search, further: _Further) -> Response:
        """Find runs; the newest come first unless `sort` says otherwise."""
        return found_answer(*searches.summaries(asked, further))

    @router.get("/workflow/search-v2")
    def search_v2(asked: Search, further: _Further) -> Response:
        """Find runs, each shown whole but for its tasks."""
        return found_answer(*searches.runs(asked, further))

    @router.get("/workflow/search-by-tasks")
    def search_by_tasks(asked: Search) -> Response:
        """Find runs by their tasks."""
        return found_answer(*searches.summaries_by_tasks(asked))

    @router.get("/workflow/search-by-tasks-v2")
    def search_by_tasks_v2(asked: Search) -> Response:
        """Find runs by their tasks, each shown whole."""
        return found_answer(*searches.runs_by_tasks(asked))

    @router.get("/tasks/search")
    def search_tasks(asked: Search) -> Response:
        """Find tasks."""
        return found_answer(*searches.task_summaries(asked))

    @router.get("/tasks/search-v2")
    def search_tasks_v2(asked: Search) -> Response:
        """Find tasks, each shown whole."""
        return found_answer(*searches.tasks(asked))

    return router
