"""Routes under /api/tasks: look at a task, report its result, signal what waits (reference 5.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from engine.api import runs
from engine.api.body import RawBody, answer, document, done, mapping
from engine.api.problem import granted
from engine.api.reports import read_report
from engine.api.requester import Requester
from engine.clock import Clock
from engine.errors import BadMessage
from engine.identifier import new_id
from engine.model.payload import Json
from engine.model.request import Outcome, Request
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.wire.conductor import REPORTABLE


def task_routes(store: Store, requester: Requester, clock: Clock, payloads: PayloadStorage | None = None) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/tasks", tags=["tasks"])

    def ask(workflow_id: str, verb: str, arguments: dict[str, Json]) -> Outcome:
        request = Request(event_id=new_id(), workflow_id=workflow_id, verb=verb, arguments=arguments)
        return granted(requester.ask(request))

    @router.post("")
    def update(body: RawBody) -> Response:
        """Report on a task; the answer is its id."""
        report = read_report(document(body), payloads)
        report.send(requester, store, clock)
        return PlainTextResponse(str(report.arguments["taskId"]))

    @router.get("/{task_id}")
    def show(task_id: str) -> Response:
        """Show a task."""
        return answer(runs.one_task_json(store, task_id))

    # Stands before the next route, whose pattern it also fits.
    @router.post("/{workflow_id}/{status}/signal")
    def signal(workflow_id: str, status: str, body: RawBody) -> Response:
        """End the first task of a run that waits for a signal; the body is its output."""
        ask(workflow_id, "signal", {"status": reportable(status), "output": mapping(body)})
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
        arguments = {"ref": ref, "status": reportable(status), "output": mapping(body), "workerId": worker_id}
        outcome = ask(workflow_id, "update_task", arguments)
        return PlainTextResponse(str(outcome.result.get("taskId") or ""))

    return router


def reportable(status: str) -> str:
    """Return the status in a path if it can be reported; raise ``BadMessage`` for any other."""
    known = [each.value for each in REPORTABLE]
    if status not in known:
        raise BadMessage(f"A task cannot be reported as {status!r}: use one of {', '.join(known)}.")
    return status
