"""Routes under /api/admin: the configuration, open tasks of one kind, and runs that are to be looked at (5.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from engine.api import runs
from engine.api.body import answer
from engine.api.operating import operate
from engine.api.requester import Requester
from engine.errors import NotFound
from engine.model.event_handler import EventHandler
from engine.model.payload import Json
from engine.store.port import Store

#: Tasks of one page: each is shown whole, and with its run in memory meanwhile.
_LARGEST_PAGE = 1_000


def admin_routes(store: Store, requester: Requester, configuration: Mapping[str, object]) -> APIRouter:
    """Return the routes; ``configuration`` is what may be shown of the settings."""
    router = APIRouter(prefix="/api/admin", tags=["admin"])
    _looking(router, store, configuration)
    _mending(router, store, requester)
    return router


def _looking(router: APIRouter, store: Store, configuration: Mapping[str, object]) -> None:
    @router.get("/config")
    def config() -> Response:
        """Show the settings that this server runs with, passwords masked."""
        return answer(dict(configuration))

    @router.get("/task/{task_type}")
    def open_tasks(
        task_type: str,
        start: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        count: Annotated[int, Query(ge=0, le=_LARGEST_PAGE)] = 100,
    ) -> Response:
        """List the open tasks of one name or type, oldest runs first."""
        with store.transaction() as tx:
            keys = tx.open_tasks(task_type, start, count)
        return answer(runs.tasks_json(store, keys))

    @router.get("/queues")
    def queues(verbose: bool = False) -> Response:
        """List the queues that event handlers listen to; ``verbose`` with the handlers of each."""
        with store.transaction() as tx:
            handlers = [each for each in tx.event_handlers() if each.active]
        return answer(_by_event(handlers) if verbose else {each.event: each.event for each in handlers})


def _mending(router: APIRouter, store: Store, requester: Requester) -> None:
    def decide(workflow_id: str) -> None:
        operate(requester, workflow_id, "decide")

    @router.post("/sweep/requeue/{workflow_id}")
    def requeue(workflow_id: str) -> Response:
        """Have a run looked at now; the answer is Conductor's text ``true.<id>``."""
        decide(workflow_id)
        return PlainTextResponse(f"true.{workflow_id}")

    @router.post("/consistency/verifyAndRepair/{workflow_id}")
    def verify(workflow_id: str) -> Response:
        """Have a run looked at afresh from its rows; say whether that has changed anything."""
        before = _state(store, workflow_id)
        decide(workflow_id)
        return PlainTextResponse(str(_state(store, workflow_id) != before).lower())


def _state(store: Store, workflow_id: str) -> object:
    try:
        rows = runs.rows_of(store, workflow_id)
    except NotFound:
        return None
    return rows.workflow.status, tuple((task.seq, task.status) for task in rows.tasks)


def _by_event(handlers: list[EventHandler]) -> Json:
    found: dict[str, list[str]] = {}
    for each in handlers:
        found.setdefault(each.event, []).append(each.name)
    return found
