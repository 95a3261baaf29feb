"""Routes under /api/tasks for workers that poll (reference 4.8, 5.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from engine.api.body import RawBody, answer, document, done
from engine.api.payload_routes import OUTPUT_PATH, with_payload
from engine.api.polling import LONGEST_WAIT_MS, queue_polled, wait_for_tasks
from engine.api.problem import granted
from engine.api.requester import Requester
from engine.errors import BadMessage, Transient
from engine.identifier import new_id
from engine.model.request import Outcome
from engine.model.request import Request as Asked
from engine.model.status import TaskStatus
from engine.polling.claim import task_json
from engine.polling.distributor import Distributor
from engine.store.payload_storage import PayloadStorage
from engine.wire.conductor import read_task_result

#: Milliseconds that a poll waits which does not say how long.
_WAIT_MS = 100

_WorkerId = Annotated[str | None, Query(alias="workerid")]


def poll_routes(distributor: Distributor, requester: Requester, payloads: PayloadStorage | None = None) -> APIRouter:
    """Return the routes; a poll that waits holds no thread."""
    router = APIRouter(prefix="/api/tasks")

    @router.get("/poll/{task_type}")
    async def poll(
        request: Request, task_type: str, worker_id: _WorkerId = None, domain: str | None = None
    ) -> Response:
        """Hand out a task of this type, or answer 204 when there is none."""
        queue = queue_polled(task_type, domain)
        tasks = await wait_for_tasks(distributor, request, queue, count=1, wait_ms=_WAIT_MS, worker=worker_id)
        return answer(task_json(tasks[0])) if tasks else done(204)

    @router.get("/poll/batch/{task_type}")
    async def poll_batch(
        request: Request,
        task_type: str,
        worker_id: _WorkerId = None,
        domain: str | None = None,
        count: int = 1,
        timeout: int = _WAIT_MS,
    ) -> Response:
        """Hand out tasks of this type; wait up to `timeout` ms for them."""
        if timeout > LONGEST_WAIT_MS:
            raise BadMessage(f"'timeout' may be {LONGEST_WAIT_MS} ms at most, not {timeout}: poll again after that.")
        queue = queue_polled(task_type, domain)
        tasks = await wait_for_tasks(distributor, request, queue, count=count, wait_ms=timeout, worker=worker_id)
        return answer([task_json(each) for each in tasks])

    @router.post("/update-v2")
    async def update_and_poll(request: Request, body: RawBody) -> Response:
        """Report the result of a task, and hand out the next one of its type, or answer 204."""
        reported = await run_in_threadpool(with_payload, document(body), OUTPUT_PATH, "outputData", payloads)
        workflow_id, arguments = read_task_result(reported)
        arguments = {**arguments, "thenPolls": True}
        wish = Asked(event_id=new_id(), workflow_id=workflow_id, verb="update_task", arguments=arguments)
        queue = _goes_on_with(arguments, granted(await run_in_threadpool(requester.ask, wish)))
        if queue is None:
            return done(204)
        worker = arguments["workerId"]
        try:
            tasks = await wait_for_tasks(distributor, request, queue, count=1, wait_ms=0, worker=worker)
        except Transient:
            # The update is done, and must not be sent again for want of another task.
            tasks = []
        return answer(task_json(tasks[0])) if tasks else done(204)

    return router


def _goes_on_with(arguments: dict[str, object], outcome: Outcome) -> str | None:
    """Return the queue from which whoever has ended a task gets the next one; None where it has ended nothing."""
    ended = arguments["status"] != TaskStatus.IN_PROGRESS and not arguments["extendLease"]
    queue = outcome.result.get("queue")
    return str(queue) if ended and outcome.result.get("applied") and queue else None
