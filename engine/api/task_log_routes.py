"""Routes under /api/tasks for the logs of tasks (reference 5.4)."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Depends
from starlette.responses import Response

from engine.api.body import AnyBody, answer, done
from engine.api.strangers import refuse_strangers
from engine.clock import Clock
from engine.errors import BadMessage, NotFound
from engine.model.execution import split_task_id
from engine.model.payload import Json
from engine.store.port import Store
from engine.store.worker_port import LogLine
from engine.wire.task_log import Entry, log_json, read_entry


def task_log_routes(store: Store, clock: Clock) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/tasks", tags=["tasks"])

    # Workers of Conductor send texts of any kind, which a browser lets any page do too.
    @router.post("/{task_id}/log", dependencies=[Depends(refuse_strangers)])
    def write(task_id: str, body: AnyBody) -> Response:
        """Append to the log of a task; the body is the entry, as a JSON string or as it stands."""
        text = read_entry(body)
        if not text:
            raise BadMessage("The body must be the entry of the log: it is empty.")
        add_log(store, clock, task_id, [Entry(text)])
        return done()

    @router.get("/{task_id}/log")
    def read(task_id: str) -> Response:
        """Show the log of a task, oldest entry first; 204 when there is none."""
        log = log_of(store, task_id)
        return answer(log) if log else done(204)

    return router


def add_log(store: Store, clock: Clock, task_id: str, entries: Sequence[Entry]) -> None:
    """Append entries to the log of a task; raise ``NotFound`` when there is no such task."""
    workflow_id, seq = _known(task_id)
    now = clock.now()
    with store.transaction() as tx:
        if not tx.has_task(workflow_id, seq):
            raise NotFound(f"No task has the id {task_id!r}.")
        lines = [LogLine(workflow_id=workflow_id, seq=seq, text=each.text, at=each.at or now) for each in entries]
        tx.add_log_lines(lines)


def log_of(store: Store, task_id: str) -> list[Json]:
    """Return the log of a task as Conductor's TaskExecLog objects, oldest entry first, whenever it was sent."""
    workflow_id, seq = _known(task_id)
    with store.transaction() as tx:
        lines = tx.log_lines(workflow_id, seq)
    return [log_json(task_id, line.text, line.at) for line in sorted(lines, key=lambda line: line.at)]


def _known(task_id: str) -> tuple[str, int]:
    split = split_task_id(task_id)
    if split is None:
        raise NotFound(f"No task has the id {task_id!r}: ids are <workflow id>.<number>.")
    return split
