"""One operation for many runs at once (Conductor 5.3): each is granted or refused by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from engine.api import runs
from engine.api.body import RawBody, answer, document
from engine.api.operating import failure_wanted, operation
from engine.api.problem import told
from engine.api.requester import Requester
from engine.errors import BadMessage, BatonError, NotFound
from engine.model.payload import Json
from engine.store.port import Store

#: Runs that one call may name (Conductor 5.3).
MOST_RUNS = 1_000


def bulk_routes(store: Store, requester: Requester) -> APIRouter:
    """Return the routes under ``/api/workflow/bulk``; they stand before those of one run, whose id is no ``bulk``."""
    router = APIRouter(prefix="/api/workflow/bulk", tags=["bulk"])
    _steering(router, requester)
    _removing(router, requester)
    _searching(router, store)
    return router


def _steering(router: APIRouter, requester: Requester) -> None:
    def ask(body: bytes, verb: str, **arguments: Json) -> Response:
        return _asked(requester, _ids(body), verb, **arguments)

    @router.put("/pause")
    def pause(body: RawBody) -> Response:
        """Pause several runs; each is granted or refused by itself."""
        return ask(body, "pause")

    @router.put("/resume")
    def resume(body: RawBody) -> Response:
        """Let several runs go on."""
        return ask(body, "resume")

    @router.post("/terminate")
    def terminate(
        body: RawBody,
        reason: str | None = None,
        failure: Annotated[bool, Query(alias="triggerFailureWorkflow")] = False,
    ) -> Response:
        """Terminate several runs; on demand their failure workflows are started."""
        return ask(body, "terminate", reason=reason, **failure_wanted(failure))

    @router.post("/retry")
    def retry(body: RawBody) -> Response:
        """Retry several runs."""
        return ask(body, "retry", resumeSubworkflowTasks=False)

    @router.post("/restart")
    def restart(body: RawBody, latest: Annotated[bool, Query(alias="useLatestDefinitions")] = False) -> Response:
        """Begin several runs anew."""
        return ask(body, "restart", useLatestDefinitions=latest)


def _removing(router: APIRouter, requester: Requester) -> None:
    @router.delete("/remove")
    def remove(body: RawBody, archive: Annotated[bool, Query(alias="archiveWorkflow")] = True) -> Response:
        """Remove several runs."""
        if not archive:
            # One that has ended may refuse: it is not open, which is all that matters.
            _refusals(requester, _ids(body), "terminate", reason="The workflow is removed")
        return _asked(requester, _ids(body), "remove", archiveWorkflow=archive)

    @router.delete("/terminate-remove")
    def terminate_remove(
        body: RawBody, reason: str | None = None, archive: Annotated[bool, Query(alias="archiveWorkflow")] = True
    ) -> Response:
        """Terminate and remove several runs."""
        ids = _ids(body)
        errors = _refusals(requester, ids, "terminate", reason=reason)
        ended = [each for each in ids if each not in errors]
        errors |= _refusals(requester, ended, "remove", archiveWorkflow=archive) if ended else {}
        return answer(_bulk(errors, [each for each in ids if each not in errors]))


def _searching(router: APIRouter, store: Store) -> None:
    @router.post("/search")
    def search(body: RawBody, include_tasks: Annotated[bool, Query(alias="includeTasks")] = True) -> Response:
        """Show several runs; unknown ids are listed as errors."""
        found: list[Json] = []
        errors: dict[str, Json] = {}
        for each in _ids(body):
            try:
                found.append(runs.run_json(store, each, include_tasks=include_tasks))
            except NotFound as error:
                errors[each] = str(error)
        return answer(_bulk(errors, found))


def _asked(requester: Requester, ids: Sequence[str], verb: str, **arguments: Json) -> Response:
    errors = _refusals(requester, ids, verb, **arguments)
    return answer(_bulk(errors, [each for each in ids if each not in errors]))


def _refusals(requester: Requester, ids: Sequence[str], verb: str, **arguments: Json) -> dict[str, str]:
    """Ask all of these runs; return why those that refuse do, by their ids."""
    outcomes = requester.ask_all([operation(each, verb, **arguments) for each in ids])
    return {
        each: told(outcome) if isinstance(outcome, BatonError) else outcome.message
        for each, outcome in zip(ids, outcomes, strict=True)
        if isinstance(outcome, BatonError) or not outcome.granted
    }


def _bulk(errors: Json, successes: Json) -> Json:
    return {"bulkErrorResults": errors, "bulkSuccessfulResults": successes}


def _ids(body: bytes) -> list[str]:
    """Return the ids in the body, each once; raise ``BadMessage`` when it is no list of 1 to 1,000 texts."""
    given = document(body)
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
        raise BadMessage('The body must be a list of workflow ids: ["…", "…"].')
    if not 1 <= len(given) <= MOST_RUNS:
        raise BadMessage(f"The body names {len(given)} workflows: name 1 to {MOST_RUNS:,} in one call.")
    return list(dict.fromkeys(given))
