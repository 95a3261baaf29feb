"""Routes under /api/workflow that find runs by name and correlation id, without a query (reference 5.2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from engine.api import runs
from engine.api.body import RawBody, answer, document
from engine.api.listing import LATEST_MS, correlated_runs, running_ids, texts
from engine.store.port import Store
from engine.wire.fields import Fields

#: Epoch milliseconds in a query.
Milliseconds = Annotated[int, Query(ge=0, le=LATEST_MS)]

Closed = Annotated[bool, Query(alias="includeClosed")]
Tasks = Annotated[bool, Query(alias="includeTasks")]


def listing_routes(store: Store, reading: Store) -> APIRouter:
    """Return the routes, which stand before those of one run, whose id is no ``running``; lists come of ``reading``."""
    router = APIRouter(prefix="/api/workflow", tags=["workflow"])
    _running(router, reading)
    _correlated(router, reading)
    _one_run(router, store)
    return router


def _running(router: APIRouter, store: Store) -> None:
    @router.get("/running/{name}")
    def running(
        name: str,
        since: Annotated[Milliseconds | None, Query(alias="startTime")] = None,
        until: Annotated[Milliseconds | None, Query(alias="endTime")] = None,
    ) -> Response:
        """List the ids of the open runs of a workflow; with two times those of all runs that began between them."""
        return answer(running_ids(store, name, since, until))


def _correlated(router: APIRouter, store: Store) -> None:
    @router.get("/{name}/correlated/{correlation_id}")
    def correlated(name: str, correlation_id: str, closed: Closed = False, tasks: Tasks = False) -> Response:
        """List the runs of a workflow that have this correlation id, newest first."""
        return answer(correlated_runs(store, [name], correlation_id, closed, tasks))

    @router.post("/{name}/correlated")
    def correlated_with_each(name: str, body: RawBody, closed: Closed = False, tasks: Tasks = False) -> Response:
        """List the runs of a workflow by correlation id; the body is a list of those."""
        wanted = texts(document(body), "The body")
        return answer({each: correlated_runs(store, [name], each, closed, tasks) for each in wanted})

    @router.post("/correlated/batch")
    def batch(body: RawBody, closed: Closed = False, tasks: Tasks = False) -> Response:
        """List the runs of several workflows by correlation id (Orkes)."""
        fields = Fields(document(body), "the body")
        names = texts(fields.raw("workflowNames"), "workflowNames")
        wanted = texts(fields.raw("correlationIds"), "correlationIds")
        return answer({each: correlated_runs(store, names, each, closed, tasks) for each in wanted})


def _one_run(router: APIRouter, store: Store) -> None:
    @router.get("/{workflow_id}/size")
    def size(workflow_id: str) -> Response:
        """Say how many bytes the inputs, outputs and variables of a run have as JSON (Orkes); there is no limit."""
        rows = runs.rows_of(store, workflow_id)
        return answer({"sizeBytes": rows.payload_bytes, "limitBytes": 0, "ratio": 0})
