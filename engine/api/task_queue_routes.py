"""Routes under /api/tasks/queue: how much waits in the queues of tasks, and who has polled them (reference 5.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from engine.api.body import answer
from engine.api.polling import queue_polled
from engine.api.queue_sizes import everywhere_json, ready, ready_everywhere
from engine.api.requester import Requester
from engine.clock import Clock, Instant, milliseconds
from engine.identifier import new_id
from engine.model.event import Wake
from engine.model.payload import Json
from engine.store.port import Store, Transaction
from engine.store.worker_port import LastPoll
from engine.wire.system_queue import system_queue

#: Runs of which the ids are read at a time.
_PAGE = 1_000


def task_queue_routes(store: Store, requester: Requester, clock: Clock) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/tasks/queue", tags=["tasks"])
    _sizes(router, store, requester)
    _polls(router, store)
    _requeue(router, store, requester, clock)
    return router


def _sizes(router: APIRouter, store: Store, requester: Requester) -> None:
    @router.get("/size")
    def size(
        task_type: Annotated[str, Query(alias="taskType")],
        domain: str | None = None,
        group: Annotated[str | None, Query(alias="isolationGroupId")] = None,
        namespace: Annotated[str | None, Query(alias="executionNamespace")] = None,
    ) -> Response:
        """Show how many tasks of a type wait to be taken, in a domain, an isolation group, or neither."""
        queue = queue_polled(system_queue(task_type, namespace, group), domain)
        return answer(ready(requester, [queue])[queue])

    @router.get("/sizes")
    def sizes(task_types: Annotated[list[str], Query(alias="taskType")] = []) -> Response:  # noqa: B006
        """Show how many tasks of each of these types wait to be taken."""
        return answer(ready(requester, [queue_polled(each, None) for each in task_types]))

    @router.get("/all")
    def every() -> Response:
        """Show how many tasks wait to be taken from each queue that tasks were ever sent to."""
        return answer(ready_everywhere(store, requester))

    @router.get("/all/verbose")
    def every_verbose() -> Response:
        """Show for each queue how many tasks wait, and how many are in progress."""
        return answer(everywhere_json(store, requester))


def _polls(router: APIRouter, store: Store) -> None:
    @router.get("/polldata")
    def of_type(task_type: Annotated[str, Query(alias="taskType")]) -> Response:
        """Show who has polled last for a type of task, in each domain."""
        with store.transaction() as tx:
            return answer([_poll_json(each) for each in tx.last_polls(task_type)])

    @router.get("/polldata/all")
    def all_of_them() -> Response:
        """Show who has polled last, for every type of task and domain."""
        with store.transaction() as tx:
            return answer([_poll_json(each) for each in tx.last_polls()])


def _requeue(router: APIRouter, store: Store, requester: Requester, clock: Clock) -> None:
    @router.post("/requeue/{task_type}")
    def requeue(task_type: str) -> Response:
        """Send tasks of a type again whose messages the broker has lost; the answer is how many there were."""
        queue = queue_polled(task_type, None)
        now = clock.now()
        with store.transaction() as tx:
            missing = tx.scheduled_tasks(now).get(queue, 0) - ready(requester, [queue])[queue]
            runs = _runs(tx, queue, now) if missing > 0 else []
        moment = new_id()
        requester.send([Wake(event_id=f"{each}/requeue/{moment}", workflow_id=each, lost_queue=queue) for each in runs])
        return PlainTextResponse(str(max(0, missing)))


def _runs(transaction: Transaction, queue: str, before: Instant) -> list[str]:
    found: list[str] = []
    while page := transaction.runs_scheduled_in(queue, before, found[-1] if found else "", _PAGE):
        found += page
    return found


def _poll_json(poll: LastPoll) -> dict[str, Json]:
    """Return Conductor's PollData."""
    shown: dict[str, Json] = {"queueName": poll.task_type, "lastPollTime": milliseconds(poll.at)}
    return {
        **shown,
        **({"domain": poll.domain} if poll.domain else {}),
        **({"workerId": poll.worker} if poll.worker else {}),
    }
