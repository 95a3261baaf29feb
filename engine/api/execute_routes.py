"""Routes that answer when a run has come to rest: execute, signal and wait, report and read (reference 5.2, 5.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from engine.api import reports, runs
from engine.api.body import RawBody, Version, answer, mapping
from engine.api.family import Family
from engine.api.news import News
from engine.api.operating import operate
from engine.api.payload_routes import INPUT_PATH, with_payload
from engine.api.requester import Requester
from engine.api.starting import further_run, started
from engine.api.waiting import settle, unless_gone
from engine.errors import BadMessage
from engine.identifier import new_id
from engine.model.event import StartWorkflow
from engine.model.execution import task_id
from engine.model.payload import Json
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.wire.signal_response import ReturnStrategy, Waited, run_response, task_response
from engine.wire.start_message import read_start
from engine.wire.state_update import read_state_update

#: Seconds that ``execute`` waits unless it is told otherwise; 0 means the same (Conductor 5.2).
_USUAL_SECONDS = 10

#: Seconds that one request may wait at most; whoever wants to wait longer asks again.
_LONGEST_SECONDS = 3_600

_Seconds = Annotated[float, Query(alias="waitForSeconds", ge=0)]
_Milliseconds = Annotated[float, Query(alias="timeoutMillis", ge=0)]
_Strategy = Annotated[str, Query(alias="returnStrategy")]
_RequestId = Annotated[str | None, Query(alias="requestId")]
_Until = Annotated[str, Query(alias="waitUntilTaskRef")]


def execute_routes(store: Store, requester: Requester, news: News, payloads: PayloadStorage | None = None) -> APIRouter:
    """Return the routes; they stand before those of runs and tasks, whose patterns they also fit."""
    router = APIRouter()
    _executing(router, store, requester, news, payloads)
    _updating(router, store, requester, news)
    _signalling(router, store, requester, news)
    _reporting(router, store, requester)
    return router


def _executing(
    router: APIRouter, store: Store, requester: Requester, news: News, payloads: PayloadStorage | None
) -> None:
    @router.post("/api/workflow/execute/{name}/{version}", tags=["workflow"])
    async def execute(
        request: Request,
        name: str,
        version: Version,
        body: RawBody,
        request_id: _RequestId = None,
        until: _Until = "",
        seconds: _Seconds = _USUAL_SECONDS,
        return_strategy: _Strategy = ReturnStrategy.TARGET_WORKFLOW.value,
    ) -> Response:
        """Start a run, and answer when it has ended, somebody has to do something in it, or the time is up."""
        strategy, refs = _strategy(return_strategy), _refs(until)

        def wish() -> StartWorkflow:
            given = with_payload(mapping(body), INPUT_PATH, "input", payloads)
            named = {**given, "name": name, "version": version or None}
            return further_run(store, read_start(named, new_id, subject="start request"))

        async def work() -> Response:
            wanted = await run_in_threadpool(wish)
            wishes = _Wishes(seconds or _USUAL_SECONDS, strategy, refs, request_id)
            return await _at_rest(store, news, wanted.workflow_id, lambda: started(requester, wanted), wishes)

        return await unless_gone(request, work())


def _updating(router: APIRouter, store: Store, requester: Requester, news: News) -> None:
    @router.post("/api/workflow/{workflow_id}/state", tags=["workflow"])
    async def update(
        request: Request,
        workflow_id: str,
        body: RawBody,
        request_id: _RequestId = None,
        until: _Until = "",
        seconds: _Seconds = _USUAL_SECONDS,
    ) -> Response:
        """Write variables of a run, then report on one of its tasks, and answer as `execute` does (Orkes)."""
        wanted = read_state_update(mapping(body))

        def change() -> str:
            if wanted.variables:
                operate(requester, workflow_id, "update_variables", variables=wanted.variables)
            if wanted.report:
                operate(requester, workflow_id, "update_task", **wanted.report)
            return workflow_id

        wishes = _Wishes(seconds or _USUAL_SECONDS, ReturnStrategy.TARGET_WORKFLOW, _refs(until), request_id)
        return await unless_gone(request, _at_rest(store, news, workflow_id, change, wishes))


def _signalling(router: APIRouter, store: Store, requester: Requester, news: News) -> None:
    @router.post("/api/tasks/{workflow_id}/{status}/signal/sync", tags=["tasks"])
    async def signal(
        request: Request,
        workflow_id: str,
        status: str,
        body: RawBody,
        milliseconds: _Milliseconds = 5_000,
        return_strategy: _Strategy = ReturnStrategy.TARGET_WORKFLOW.value,
    ) -> Response:
        """End the first task that waits for somebody, and answer when the run has come to rest again."""
        strategy = _strategy(return_strategy)
        arguments = {"status": reports.reportable(status), "output": mapping(body)}

        def signalled() -> str:
            operate(requester, workflow_id, "signal", **arguments)
            return workflow_id

        wishes = _Wishes(milliseconds / 1_000, strategy)
        return await unless_gone(request, _at_rest(store, news, workflow_id, signalled, wishes))


def _reporting(router: APIRouter, store: Store, requester: Requester) -> None:
    @router.post("/api/tasks/{workflow_id}/{ref}/{status}/sync", tags=["tasks"])
    def report(
        workflow_id: str,
        ref: str,
        status: str,
        body: RawBody,
        worker_id: Annotated[str | None, Query(alias="workerid")] = None,
    ) -> Response:
        """Report on the open task of a name, and answer with the run as it is once that has been decided upon."""
        reports.report(requester, workflow_id, status, mapping(body), ref=ref, workerId=worker_id)
        return answer(runs.run_json(store, workflow_id, include_tasks=True))


def _refs(until: str) -> list[str]:
    return [ref.strip() for ref in until.split(",") if ref.strip()]


class _Wishes(Struct, frozen=True):
    """What a request wants: how long to wait, what to be told then, for which references to wait, and its own id."""

    seconds: float
    strategy: ReturnStrategy
    refs: Sequence[str] = ()
    request_id: str | None = None


async def _at_rest(store: Store, news: News, workflow_id: str, act: Callable[[], str], wishes: _Wishes) -> Response:
    """Do something to a run that is watched meanwhile; answer when the run whose id ``act`` returns is at rest."""
    latest = asyncio.get_running_loop().time() + min(wishes.seconds, _LONGEST_SECONDS)
    with news.watch(workflow_id) as watch:
        family = Family(store, await run_in_threadpool(act), wishes.refs)
        timed_out = not await settle(family, news, watch, latest)
    waited = Waited(strategy=wishes.strategy, request_id=wishes.request_id or new_id(), timed_out=timed_out)
    return await run_in_threadpool(_told, store, family, waited)


def _strategy(text: str) -> ReturnStrategy:
    try:
        return ReturnStrategy(text)
    except ValueError:
        known = ", ".join(ReturnStrategy)
        raise BadMessage(f"'returnStrategy' is {text[:100]!r}: it must be one of {known}.") from None


def _told(store: Store, family: Family, waited: Waited) -> Response:
    """Answer with what was waited for, as it is stored now."""
    whole = waited.strategy is ReturnStrategy.TARGET_WORKFLOW
    target = runs.run_json(store, family.workflow_id, include_tasks=whole)
    if waited.strategy.of_task:
        return answer(_told_of_task(store, family, waited, target))
    if waited.strategy is ReturnStrategy.BLOCKING_WORKFLOW:
        held = family.workflow_id if family.blocking is None else family.blocking.workflow_id
        return answer(run_response(waited, target, runs.run_json(store, held, include_tasks=True)))
    return answer(run_response(waited, target, target))


def _told_of_task(store: Store, family: Family, waited: Waited, target: Json) -> Json:
    place = family.standing
    if place is None:
        return task_response(waited, target, target, None)
    holder = runs.run_json(store, place.workflow_id, include_tasks=False)
    return task_response(waited, target, holder, runs.one_task_json(store, task_id(*place)))
