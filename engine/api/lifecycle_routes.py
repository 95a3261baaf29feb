"""Routes under /api/workflow that take runs up anew, remove them, and show their past (reference 5.2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from engine.api import history, lifecycle
from engine.api.body import RawBody, answer, done, mapping
from engine.api.operating import operate
from engine.api.requester import Requester
from engine.store.port import Store

#: What a body of ``upgrade`` may say.
_UPGRADE = ("name", "version", "workflowInput", "taskOutput")


def lifecycle_routes(store: Store, requester: Requester) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/workflow")
    _again(router, requester)
    _ahead(router, requester)
    _other_way(router, requester)
    _decide(router, requester)
    _gone(router, requester)
    _history(router, store)
    return router


def _again(router: APIRouter, requester: Requester) -> None:
    @router.post("/{workflow_id}/restart")
    def restart(workflow_id: str, latest: Annotated[bool, Query(alias="useLatestDefinitions")] = False) -> Response:
        """Begin a run anew under its id."""
        operate(requester, workflow_id, "restart", useLatestDefinitions=latest)
        return done(204)

    @router.post("/{workflow_id}/rerun")
    def rerun(workflow_id: str, body: RawBody) -> Response:
        """Do a task and all that came behind it over, or the whole run."""
        lifecycle.rerun(requester, workflow_id, mapping(body))
        return PlainTextResponse(workflow_id)


def _ahead(router: APIRouter, requester: Requester) -> None:
    @router.put("/{workflow_id}/skiptask/{ref}")
    def skip(workflow_id: str, ref: str, body: RawBody) -> Response:
        """Pass over a step when the flow comes to it."""
        lifecycle.skip(requester, workflow_id, ref, mapping(body))
        return done()


def _other_way(router: APIRouter, requester: Requester) -> None:
    @router.post("/{workflow_id}/jump/{ref}")
    def jump(workflow_id: str, ref: str, body: RawBody) -> Response:
        """Go on at another step; the body is its input (Orkes)."""
        operate(requester, workflow_id, "jump", ref=ref, taskInput=mapping(body))
        return done()

    @router.post("/{workflow_id}/upgrade")
    def upgrade(workflow_id: str, body: RawBody) -> Response:
        """Go on by another version of the definition (Orkes)."""
        given = mapping(body)
        wanted = {name: given[name] for name in _UPGRADE if given.get(name) is not None}
        operate(requester, workflow_id, "upgrade", **wanted)
        return done()


def _decide(router: APIRouter, requester: Requester) -> None:
    @router.put("/decide/{workflow_id}")
    def decide(workflow_id: str) -> Response:
        """Look at a run afresh from its rows."""
        operate(requester, workflow_id, "decide")
        return done()


def _gone(router: APIRouter, requester: Requester) -> None:
    @router.delete("/{workflow_id}/remove")
    def remove(workflow_id: str, archive: Annotated[bool, Query(alias="archiveWorkflow")] = True) -> Response:
        """Delete a run; what can be read of it is kept in the archive."""
        lifecycle.remove(requester, workflow_id, archive=archive)
        return done()

    @router.delete("/{workflow_id}/terminate-remove")
    def terminate_remove(
        workflow_id: str,
        reason: str | None = None,
        archive: Annotated[bool, Query(alias="archiveWorkflow")] = True,
    ) -> Response:
        """Terminate a run and delete it."""
        operate(requester, workflow_id, "terminate", reason=reason)
        operate(requester, workflow_id, "remove", archiveWorkflow=archive)
        return done()


def _history(router: APIRouter, store: Store) -> None:
    @router.get("/{workflow_id}/history")
    def rounds(workflow_id: str) -> Response:
        """Show what a run was before each restart and rerun."""
        return answer(history.rounds_json(store, workflow_id))

    @router.get("/{workflow_id}/requests")
    def requests(workflow_id: str) -> Response:
        """Show who asked a run for what, when, and whether it was granted."""
        return answer(history.requests_json(store, workflow_id))
