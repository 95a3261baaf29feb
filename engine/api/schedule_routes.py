"""Routes under /api/scheduler: keep schedules, look at their dates and at what became of them (reference 5.10)."""

from __future__ import annotations

from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from engine.api import schedules
from engine.api.body import RawBody, answer, document, done
from engine.api.search import Search, check_page
from engine.api.strangers import refuse_strangers
from engine.clock import Clock
from engine.errors import BadMessage, NotFound
from engine.model.payload import Json
from engine.search.subject import SCHEDULE_EXECUTIONS
from engine.store.port import Store
from engine.store.schedule_port import ExecutionQuery
from engine.wire.schedule_json import execution_json

#: Names that one call may give, and dates that it may ask for.
_MOST_NAMES = 1_000
_MOST_DATES = 100

#: Why a schedule is paused that was paused with all others, and resumes with them.
_ALL_PAUSED = "All schedules were paused"

#: What a list of schedules may be sorted by.
_SORTED_BY = ("name", "createTime", "updatedTime", "nextRunTime")

_Limit = Annotated[int, Query(ge=1, le=_MOST_DATES)]


def schedule_routes(store: Store, clock: Clock) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/scheduler", tags=["scheduler"])
    _looking(router, store, clock)
    _pausing(router, store, clock)
    _pausing_several(router, store, clock)
    _keeping(router, store, clock)
    return router


def _looking(router: APIRouter, store: Store, clock: Clock) -> None:
    @router.get("/nextFewSchedules")
    def next_few(
        cron: Annotated[str, Query(alias="cronExpression")],
        zone: Annotated[str, Query(alias="zoneId")] = "UTC",
        start: Annotated[int | None, Query(alias="scheduleStartTime")] = None,
        end: Annotated[int | None, Query(alias="scheduleEndTime")] = None,
        limit: _Limit = 5,
    ) -> Response:
        """Say when a cron expression comes next, as epoch milliseconds."""
        return answer(schedules.preview(cron, zone, start, end, limit, clock.now()))

    @router.get("/search/executions")
    def executions(asked: Search) -> Response:
        """Find what became of dates, newest first."""
        wanted = asked.read(SCHEDULE_EXECUTIONS)
        with store.transaction() as tx:
            total, found = tx.executions(
                ExecutionQuery(condition=wanted.condition, order=wanted.order, start=wanted.start, size=wanted.size)
            )
        return answer({"totalHits": total, "results": [execution_json(each) for each in found]})

    # Stands before the route of one schedule, whose pattern it also fits.
    @router.get("/schedules/search")
    def search(
        workflow: Annotated[str | None, Query(alias="workflowName")] = None,
        name: Annotated[str | None, Query(alias="scheduleName")] = None,
        paused: bool | None = None,
        free_text: Annotated[str, Query(alias="freeText")] = "*",
        start: int = 0,
        size: int = 100,
        sort: str | None = None,
    ) -> Response:
        """Find schedules by workflow, name, state or words."""
        check_page(start, size)
        found = [
            each
            for each in _every(store)
            if workflow in (None, _workflow(each))
            and name in (None, each["name"])
            and paused in (None, each["paused"])
            and (free_text in ("", "*") or free_text.lower() in _words(each))
        ]
        found = _sorted(found, sort)
        return answer({"totalHits": len(found), "results": found[start : start + size]})


def _pausing(router: APIRouter, store: Store, clock: Clock) -> None:
    @router.put("/schedules/{name}/pause")
    def pause(name: str, reason: str | None = None) -> Response:
        """Pause a schedule: dates that pass meanwhile start nothing."""
        schedules.pause(store, name, clock.now(), paused=True, reason=reason)
        return done()

    @router.put("/schedules/{name}/resume")
    def resume(name: str) -> Response:
        """Let a schedule go on from now."""
        schedules.pause(store, name, clock.now(), paused=False)
        return done()


def _pausing_several(router: APIRouter, store: Store, clock: Clock) -> None:
    def change(names: list[str], *, paused: bool, reason: str | None = None) -> Response:
        good: list[str] = []
        bad: dict[str, str] = {}
        for name in names:
            try:
                schedules.pause(store, name, clock.now(), paused=paused, reason=reason)
                good.append(name)
            except NotFound as error:
                bad[name] = str(error)
        return answer({"bulkErrorResults": bad, "bulkSuccessfulResults": good})

    @router.put("/bulk/pause")
    def pause_several(body: RawBody) -> Response:
        """Pause several schedules."""
        return change(_names(body), paused=True)

    @router.put("/bulk/resume")
    def resume_several(body: RawBody) -> Response:
        """Let several schedules go on."""
        return change(_names(body), paused=False)

    # Conductor's clients send GET.
    @router.get("/admin/pause", dependencies=[Depends(refuse_strangers)])
    @router.put("/admin/pause")
    def pause_all() -> Response:
        """Pause every schedule."""
        running = [each["name"] for each in _every(store) if not each["paused"]]
        return change(running, paused=True, reason=_ALL_PAUSED)

    @router.get("/admin/resume", dependencies=[Depends(refuse_strangers)])
    @router.put("/admin/resume")
    def resume_all() -> Response:
        """Let those go on that were paused with all others."""
        paused = [each["name"] for each in _every(store) if each.get("pausedReason") == _ALL_PAUSED]
        return change(paused, paused=False)

    @router.get("/admin/requeue")
    def requeue_all() -> Response:
        """Have dates taken up that were forgotten: there are none, because nothing stands in a queue."""
        return answer({})


def _keeping(router: APIRouter, store: Store, clock: Clock) -> None:
    @router.post("/schedules")
    def save(body: RawBody) -> Response:
        """Keep a schedule; one of the same name is replaced."""
        return answer(schedules.save(store, document(body), clock.now()))

    @router.get("/schedules")
    def every(workflow: Annotated[str | None, Query(alias="workflowName")] = None) -> Response:
        """List schedules, with the next date of each."""
        return answer([each for each in _every(store) if workflow in (None, _workflow(each))])

    @router.get("/schedules/{name}")
    def show(name: str) -> Response:
        """Show a schedule."""
        with store.transaction() as tx:
            return answer(schedules.shown(schedules.found(tx, name)))

    @router.delete("/schedules/{name}")
    def forget(name: str) -> Response:
        """Forget a schedule; runs that it started go on."""
        with store.transaction() as tx:
            tx.drop_schedule(name)
        return done()


def _every(store: Store) -> list[dict[str, Json]]:
    with store.transaction() as tx:
        return [schedules.shown(row) for row in tx.schedules()]


def _workflow(shown: dict[str, Json]) -> Json:
    """Return the name of the workflow that a schedule starts."""
    request = shown["startWorkflowRequest"]
    return (request.get("workflowDef") or {}).get("name") or request.get("name")


def _words(shown: dict[str, Json]) -> str:
    return f"{shown['name']} {shown.get('description', '')} {_workflow(shown)}".lower()


def _sorted(found: list[dict[str, Json]], sort: str | None) -> list[dict[str, Json]]:
    """Return schedules sorted by one field or several, as in ``name:ASC|nextRunTime:DESC``; those without it last."""
    for part in reversed((sort or "").replace(",", "|").split("|") if sort else ()):
        field, _, direction = part.strip().partition(":")
        if field not in _SORTED_BY or direction.upper() not in ("", "ASC", "DESC"):
            raise BadMessage(
                f"sort {part!r} is not understood: write name:ASC; the fields are {', '.join(_SORTED_BY)}."
            )
        here = [each for each in found if field in each]
        here.sort(key=itemgetter(field), reverse=direction.upper() == "DESC")
        found = here + [each for each in found if field not in each]
    return found


def _names(body: bytes) -> list[str]:
    """Return the names in the body, each once; raise ``BadMessage`` when it is no list of 1 to 1,000 texts."""
    given = document(body)
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
        raise BadMessage('The body must be a list of names of schedules: ["…", "…"].')
    if not 1 <= len(given) <= _MOST_NAMES:
        raise BadMessage(f"The body names {len(given)} schedules: name 1 to {_MOST_NAMES:,} in one call.")
    return list(dict.fromkeys(given))
