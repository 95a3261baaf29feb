"""Routes under /api/tasks for workers that poll (reference 4.8, 5.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from engine.api.body import RawBody, answer, document, done
from engine.api.polling import WAIT_MS, check_wait, queue_polled, wait_for_tasks
from engine.api.reports import Report, read_report
from engine.api.requester import Requester
from engine.clock import Clock
from engine.errors import Transient
from engine.model.request import Outcome
from engine.model.status import TaskStatus
from engine.polling.claim import task_json
from engine.polling.distributor import Distributor
from engine.polling.poll_book import PollBook
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store

_WorkerId = Annotated[str | None, Query(alias="workerid")]


def poll_routes(distributor: Distributor, book: PollBook) -> APIRouter:
    """Return the routes; a poll that waits holds no thread."""
    router = APIRouter(prefix="/api/tasks", tags=["tasks"])

    @router.get("/poll/{task_type}")
    async def poll(
        request: Request, task_type: str, worker_id: _WorkerId = None, domain: str | None = None
    ) -> Response:
        """Take one task; 204 when none has come within a tenth of a second."""
        queue = queue_polled(task_type, domain)
        book.note(task_type, domain, worker_id)
        tasks = await wait_for_tasks(distributor, request, queue, count=1, wait_ms=WAIT_MS, worker=worker_id)
        return answer(task_json(tasks[0])) if tasks else done(204)

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
        check_wait(timeout)
        queue = queue_polled(task_type, domain)
        book.note(task_type, domain, worker_id)
        tasks = await wait_for_tasks(distributor, request, queue, count=count, wait_ms=timeout, worker=worker_id)
        return answer([task_json(each) for each in tasks])

    return router


def update_routes(
    distributor: Distributor, requester: Requester, store: Store, clock: Clock, payloads: PayloadStorage | None
) -> APIRouter:
    """Return the route by which a worker reports a result and gets the next task with the answer."""
    router = APIRouter(prefix="/api/tasks", tags=["tasks"])

    @router.post("/update-v2")
    async def update_and_poll(request: Request, body: RawBody) -> Response:
        """Report on a task; the answer is the next one of its queue, 204 when there is none or this has ended none."""
        report = await run_in_threadpool(read_report, document(body), payloads)
        outcome = await run_in_threadpool(report.send, requester, store, clock, then_polls=True)
        queue = _goes_on_with(report, outcome)
        if queue is None:
            return done(204)
        worker = report.arguments["workerId"]
        try:
            tasks = await wait_for_tasks(distributor, request, queue, count=1, wait_ms=0, worker=worker)
        except Transient:
            # The update is done, and must not be sent again for want of another task.
            tasks = []
        return answer(task_json(tasks[0])) if tasks else done(204)

    return router


def _goes_on_with(report: Report, outcome: Outcome) -> str | None:
    """Return the queue from which whoever has ended a task gets the next one; None where it has ended nothing."""
    ended = report.arguments["status"] != TaskStatus.IN_PROGRESS and not report.arguments["extendLease"]
    queue = outcome.result.get("queue")
    return str(queue) if ended and outcome.result.get("applied") and queue else None
