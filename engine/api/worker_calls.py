"""What workers that poll call, whichever way the call comes in: tasks are taken, and reports on them go to the road."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from engine.api.body import answer, document, done
from engine.api.polling import WAIT_MS, answer_of, check_wait, name_of, queue_polled, wait_for_tasks
from engine.api.problem import granted
from engine.api.reports import Report, has_to_be_fetched, read_report
from engine.api.requester import Requester, TooLarge, no_answer
from engine.broker.port import Unsendable
from engine.clock import Clock
from engine.errors import Transient
from engine.model.request import Outcome
from engine.polling.claim import task_json
from engine.polling.distributor import Distributor
from engine.polling.poll import HandedOut, Poll
from engine.polling.poll_book import PollBook
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.wire.partition import queue_of

#: Bytes of a report that are read in the event loop; larger ones would keep everybody waiting.
_SMALL = 65_536


class WorkerCalls:
    """The calls of workers; one that waits, be it for a task or for a decider, holds no thread."""

    def __init__(
        self,
        distributor: Distributor,
        book: PollBook,
        requester: Requester,
        store: Store,
        clock: Clock,
        payloads: PayloadStorage | None,
    ) -> None:
        self._distributor = distributor
        self._book = book
        self._requester = requester
        self._store = store
        self._clock = clock
        self._payloads = payloads

    async def poll(self, request: Request, task_type: str, worker: str | None, domain: str | None) -> Response:
        """Answer with one task; 204 when none has come within a tenth of a second."""
        tasks = await self._wait(request, task_type, worker, domain, count=1, wait_ms=WAIT_MS)
        return answer(task_json(tasks[0])) if tasks else done(204)

    async def poll_batch(
        self, request: Request, task_type: str, worker: str | None, domain: str | None, *, count: int, wait_ms: int
    ) -> Response:
        """Answer with up to ``count`` tasks as soon as there are any; with none when none has come in time."""
        check_wait(wait_ms)
        tasks = await self._wait(request, task_type, worker, domain, count=count, wait_ms=wait_ms)
        return answer([task_json(each) for each in tasks])

    async def _wait(
        self, request: Request, task_type: str, worker: str | None, domain: str | None, *, count: int, wait_ms: int
    ) -> list[HandedOut]:
        queue = queue_polled(task_type, domain)
        self._book.note(task_type, domain, worker)
        return await wait_for_tasks(self._distributor, request, queue, count=count, wait_ms=wait_ms, worker=worker)

    async def update(self, request: Request, body: bytes) -> Response:
        """Have a report carried out; answer with the id of its task."""
        report = await self._read(body)
        spoken, _ = self._distributor.report(report.request())
        granted(await self._in_time(spoken, report.workflow_id))
        await self._keep_log(report)
        return PlainTextResponse(report.task_id)

    async def update_and_poll(self, request: Request, body: bytes) -> Response:
        """Have a report carried out; answer with the next task of its queue, 204 when there is none or nothing ended.

        The next task is taken while the road has the report in hand, where its queue is known here; a queue that was
        empty then is looked into once more, for the report may have led to the next task.
        """
        report = await self._read(body)
        distributor, worker = self._distributor, name_of(report.worker)
        queue = distributor.origin(report.task_id) if report.ends_its_task else None
        spoken, poll = distributor.report(report.request(then_polls=True), queue, worker)
        try:
            outcome = granted(await self._in_time(spoken, report.workflow_id))
            queue = _goes_on_with(report, outcome)
            await self._keep_log(report)
        except BaseException:
            self._hang_up(poll)
            raise
        if queue is None:
            self._hang_up(poll)
            return done(204)
        tasks = await self._next(request, poll, queue, worker)
        return answer(task_json(tasks[0])) if tasks else done(204)

    async def _read(self, body: bytes) -> Report:
        found = document(body) if len(body) <= _SMALL else await run_in_threadpool(document, body)
        if has_to_be_fetched(found):
            return await run_in_threadpool(read_report, found, self._payloads)
        return read_report(found, self._payloads)

    async def _keep_log(self, report: Report) -> None:
        if report.logs:
            await run_in_threadpool(report.keep_log, self._store, self._clock)

    async def _in_time(self, spoken: Future[Outcome], workflow_id: str) -> Outcome:
        """Return what the road says of a report on a task of a run."""
        seconds = self._requester.timeout_seconds
        try:
            return await asyncio.wait_for(asyncio.wrap_future(spoken), seconds)
        except TimeoutError:
            raise no_answer(queue_of(workflow_id, self._requester.partitions), seconds) from None
        except Unsendable as error:
            raise TooLarge(f"The broker refuses the request: {error}") from None

    async def _next(self, request: Request, poll: Poll | None, queue: str, worker: str | None) -> list[HandedOut]:
        """Return the task that was taken meanwhile, or what the queue has by now."""
        try:
            if poll is not None and (tasks := await answer_of(self._distributor, request, poll)):
                return tasks
            return await wait_for_tasks(self._distributor, request, queue, count=1, wait_ms=0, worker=worker)
        except Transient:
            # The update is done, and must not be sent again for want of another task.
            return []

    def _hang_up(self, poll: Poll | None) -> None:
        if poll is not None:
            self._distributor.hang_up(poll)


def _goes_on_with(report: Report, outcome: Outcome) -> str | None:
    """Return the queue from which whoever has ended a task gets the next one; None where it has ended nothing."""
    queue = outcome.result.get("queue")
    return str(queue) if report.ends_its_task and outcome.result.get("applied") and queue else None
