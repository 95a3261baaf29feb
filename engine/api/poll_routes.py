"""Routes under /api/tasks for workers that poll (reference 4.8, 5.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from engine.api.body import RawBody
from engine.api.polling import WAIT_MS
from engine.api.worker_calls import WorkerCalls

_WorkerId = Annotated[str | None, Query(alias="workerid")]


def poll_routes(calls: WorkerCalls) -> APIRouter:
    """Return the routes; a poll that waits holds no thread."""
    router = APIRouter(prefix="/api/tasks", tags=["tasks"])

    @router.get("/poll/{task_type}")
    async def poll(
        request: Request, task_type: str, worker_id: _WorkerId = None, domain: str | None = None
    ) -> Response:
        """Take one task; 204 when none has come within a tenth of a second."""
        return await calls.poll(request, task_type, worker_id, domain)

    @router.get("/poll/batch/{task_type}")
    async def poll_batch(
        request: Request,
        task_type: str,
        worker_id: _WorkerId = None,
        domain: str | None = None,
        count: int = 1,
        timeout: int = WAIT_MS,
    ) -> Response:
        """Take up to ``count`` tasks as soon as there are any; none when none has come within ``timeout`` ms."""
        return await calls.poll_batch(request, task_type, worker_id, domain, count=count, wait_ms=timeout)

    @router.post("/update-v2")
    async def update_and_poll(request: Request, body: RawBody) -> Response:
        """Report on a task; the answer is the next one of its queue, 204 when there is none or this has ended none."""
        return await calls.update_and_poll(request, body)

    return router
