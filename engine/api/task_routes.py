"""Routes under /api/tasks: look at a task, report its result, signal what waits (reference 5.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from engine.api import runs
from engine.api.body import RawBody, answer, document, done, mapping
from engine.api.operating import operate
from engine.api.reports import read_report, report, reportable
from engine.api.requester import Requester
from engine.clock import Clock
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store


def task_routes(store: Store, requester: Requester, clock: Clock, payloads: PayloadStorage | None = None) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/tasks", tags=["tasks"])

    @router.post("")
    def update(body: RawBody) -> Response:
        """Report on a task; the answer is its id."""
        told = read_report(document(body), payloads)
        told.send(requester, store, clock)
        return PlainTextResponse(str(told.arguments["taskId"]))

    @router.get("/{task_id}")
    def show(task_id: str) -> Response:
        """Show a task."""
        return answer(runs.one_task_json(store, task_id))

    # Stands before the next route, whose pattern it also fits.
    @router.post("/{workflow_id}/{status}/signal")
    def signal(workflow_id: str, status: str, body: RawBody) -> Response:
        """End the first task of a run that waits for a signal; the body is its output."""
        operate(requester, workflow_id, "signal", status=reportable(status), output=mapping(body))
        return done()

    @router.post("/{workflow_id}/{ref}/{status}")
    def update_by_ref(
        workflow_id: str,
        ref: str,
        status: str,
        body: RawBody,
        worker_id: Annotated[str | None, Query(alias="workerid")] = None,
    ) -> Response:
        """Report on the open task of a reference name; the body is put over its output."""
        outcome = report(requester, workflow_id, status, mapping(body), ref=ref, workerId=worker_id)
        return PlainTextResponse(str(outcome.result.get("taskId") or ""))

    return router
