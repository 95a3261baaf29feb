"""Route of the workflow test: a definition runs with mocked tasks and leaves nothing behind (reference 4.19)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import RawBody, answer, document
from engine.api.rehearsing import Job, Played
from engine.api.warned import warned
from engine.clock import Clock
from engine.config import SECRET_PREFIX
from engine.decider.named_schema import written_out
from engine.decider.validate import check_workflow
from engine.errors import NotFound, Refused, Transient
from engine.identifier import new_id
from engine.model.definition import WorkflowDef
from engine.model.event import StartWorkflow
from engine.model.payload import Json
from engine.store.port import Store, Transaction
from engine.testing.mocks import read_mocks
from engine.wire.start_message import read_start

#: Rehearsals at a time in one server; each is a process of its own, because scripts and loops may take what they get.
_MOST: Final = 2

#: Where passwords may stand.
_URLS: Final = frozenset({"BATON_DATABASE_URL", "BATON_BROKER_URL"})

#: Seconds that one waits for its turn, and that it may take once it runs.
_PATIENCE_SECONDS: Final = 20.0
_LONGEST_SECONDS: Final = 30.0


def rehearsal_routes(store: Store, clock: Clock) -> APIRouter:
    """Return the route; it blocks, so it runs in the server's thread pool."""
    router = APIRouter(prefix="/api/workflow")
    turns = threading.BoundedSemaphore(_MOST)

    @router.post("/test")
    def test(body: RawBody) -> Response:
        """Run a definition with mocked tasks; nothing is left behind."""
        request = document(body)
        start = read_start(request, new_id, subject="test request")
        read_mocks(request)
        job = Job(request=request, workflow_id=new_id(), now=clock.now(), **_definitions(store, start, request))
        if not turns.acquire(timeout=_PATIENCE_SECONDS):
            raise Transient(f"{_MOST} workflow tests are under way: try again in a moment.")
        try:
            played = _play(job)
        finally:
            turns.release()
        if played.refused is not None:
            raise Refused(played.refused)
        return warned(answer(played.workflow), [] if played.stopped is None else [{"message": played.stopped}])

    return router


def _definitions(store: Store, start: StartWorkflow, request: Json) -> dict[str, Json]:
    """Return the definition that is tested, and all that it may come to use: whatever it or its data names."""
    with store.transaction() as tx:
        if start.workflow_def is not None:
            definition: WorkflowDef | None = check_workflow(start.workflow_def)
        else:
            definition = tx.workflow_def(start.name, start.version)
        if definition is None:
            version = "null" if start.version is None else start.version
            raise NotFound(f"No such workflow defined. name={start.name}, version={version}")
        schemas = tx.schemas()
        tested = written_out(definition, schemas).to_json()
        documents = [written_out(each, schemas).to_json() for each in _named(tx, [tested, request])]
        named = {text for each in (tested, request, *documents) for text in _texts(each)}
        tasks = [written_out(each, schemas).to_json() for each in tx.task_defs(named).values()]
    return {"definition": tested, "others": [*documents, *_inline(request), *tasks]}


def _named(tx: Transaction, values: list[Json]) -> list[WorkflowDef]:
    """Return the workflows, in every version, whose names are found in these values and in each other."""
    left = list(tx.workflow_defs())
    found: list[WorkflowDef] = []
    while values:
        texts = {text for value in values for text in _texts(value)}
        more = [each for each in left if each.name in texts]
        left = [each for each in left if each.name not in texts]
        found += more
        values = [each.to_json() for each in more]
    return found


def _texts(value: Json) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)


def _inline(request: Json) -> Iterator[Json]:
    """Yield the definitions that come with the tests of sub-workflows."""
    for child in (request.get("subWorkflowTestRequest") or {}).values():
        if isinstance(child, Mapping):
            if isinstance(child.get("workflowDef"), Mapping):
                yield check_workflow(dict(child["workflowDef"])).to_json()
            yield from _inline(child)


def _environment() -> dict[str, str]:
    """Return the server's environment without what a script has no business with."""
    kept = os.environ.items()
    return {name: value for name, value in kept if not name.startswith(SECRET_PREFIX) and name not in _URLS}


def _play(job: Job) -> Played:
    """Rehearse in a process that can be killed."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "engine.api.rehearsing"],
            input=msgspec.json.encode(job),
            capture_output=True,
            timeout=_LONGEST_SECONDS,
            check=False,
            env=_environment(),
        )
    except subprocess.TimeoutExpired:
        raise Refused(
            f"The workflow was still running after {_LONGEST_SECONDS:g} s: test a smaller part of it."
        ) from None
    if done.returncode:
        raise Refused("The test was ended before the workflow was: a script took too much memory or time.")
    return msgspec.json.decode(done.stdout, type=Played)
