"""Routes under /api/workflow that take a run up anew, and show what it has been (reference 5.2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from engine.api import history
from engine.api.body import RawBody, answer, done, mapping
from engine.api.problem import granted
from engine.api.requester import Requester
from engine.identifier import new_id
from engine.model.payload import Json
from engine.model.request import Outcome, Request
from engine.store.port import Store

#: What a body of ``rerun`` may say; ``reRunFromWorkflowId`` is the id in the path.
_RERUN = ("reRunFromTaskId", "taskInput", "workflowInput", "correlationId")

#: What a body of ``skiptask`` may say; Conductor reads none of it.
_SKIP = ("taskInput", "taskOutput")


def lifecycle_routes(store: Store, requester: Requester) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/workflow")
    _again(router, requester)
    _ahead(router, requester)
    _history(router, store)
    return router


def _ask(requester: Requester, workflow_id: str, verb: str, **arguments: Json) -> Outcome:
    request = Request(event_id=new_id(), workflow_id=workflow_id, verb=verb, arguments=arguments)
    return granted(requester.ask(request))


def _again(router: APIRouter, requester: Requester) -> None:
    @router.post("/{workflow_id}/restart")
    def restart(workflow_id: str, latest: Annotated[bool, Query(alias="useLatestDefinitions")] = False) -> Response:
        _ask(requester, workflow_id, "restart", useLatestDefinitions=latest)
        return done(204)

    @router.post("/{workflow_id}/rerun")
    def rerun(workflow_id: str, body: RawBody) -> Response:
        given = mapping(body)
        _ask(requester, workflow_id, "rerun", **{name: given[name] for name in _RERUN if given.get(name) is not None})
        return PlainTextResponse(workflow_id)


def _ahead(router: APIRouter, requester: Requester) -> None:
    @router.put("/{workflow_id}/skiptask/{ref}")
    def skip(workflow_id: str, ref: str, body: RawBody) -> Response:
        given = mapping(body)
        wish = {name: given[name] for name in _SKIP if given.get(name) is not None}
        _ask(requester, workflow_id, "skip_task", ref=ref, **wish)
        return done()


def _history(router: APIRouter, store: Store) -> None:
    @router.get("/{workflow_id}/history")
    def rounds(workflow_id: str) -> Response:
        return answer(history.rounds_json(store, workflow_id))

    @router.get("/{workflow_id}/requests")
    def requests(workflow_id: str) -> Response:
        return answer(history.requests_json(store, workflow_id))
