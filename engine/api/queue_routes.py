"""Routes under /api/queue: tasks that wait are completed from outside, by Conductor's older way (reference 5.6)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import RawBody, answer, done, mapping
from engine.api.reports import report
from engine.api.requester import Requester
from engine.model.payload import Json


def queue_routes(requester: Requester) -> APIRouter:
    """Return the routes; no queue stands between them and the run, so they answer what became of the report."""
    router = APIRouter(prefix="/api/queue", tags=["queue"])

    def reported(workflow_id: str, status: str, body: bytes, **named: Json) -> Response:
        report(requester, workflow_id, status, mapping(body), **named)
        return done()

    @router.get("/size")
    def sizes() -> Response:
        """List the messages that wait in each queue of reports: there are no such queues."""
        return answer({})

    @router.get("/")
    @router.get("")
    def names() -> Response:
        """List the queue for reports of each status: there are no such queues."""
        return answer({})

    @router.post("/update/{workflow_id}/task/{task_id}/{status}")
    def update_by_id(workflow_id: str, task_id: str, status: str, body: RawBody) -> Response:
        """Report on a task by its id; the body is its output."""
        return reported(workflow_id, status, body, taskId=task_id)

    @router.post("/update/{workflow_id}/{ref}/{status}")
    def update_by_ref(workflow_id: str, ref: str, status: str, body: RawBody) -> Response:
        """Report on the open task of a reference name; the body is its output."""
        return reported(workflow_id, status, body, ref=ref)

    return router
