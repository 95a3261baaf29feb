"""The process in which a server rehearses a workflow: a job on standard input, what became of it on standard output."""

from __future__ import annotations

import os
import resource
import sys
from typing import Final

import msgspec
from msgspec import Struct

from engine import log
from engine.api.runs import run_json
from engine.clock import Instant
from engine.errors import BatonError
from engine.model.payload import Json
from engine.testing.mocks import read_mocks
from engine.testing.rehearsal import Rehearsal
from engine.wire.start_message import read_start

#: Bytes of memory, and seconds of work, that a rehearsal may take.
_MOST_BYTES: Final = 2 * 1024 * 1024 * 1024
_MOST_SECONDS: Final = 30


class Job(Struct, frozen=True, kw_only=True):
    """A request as it came (reference 4.19), and the definitions that it may need."""

    request: Json
    workflow_id: str
    now: Instant
    definition: Json
    others: list[Json]


class Played(Struct, frozen=True, kw_only=True):
    """The run as Conductor's clients see it and why it stopped before its end; or why it could not begin."""

    workflow: Json = None
    stopped: str | None = None
    refused: str | None = None


def play(job: Job) -> Played:
    """Rehearse a workflow."""
    rehearsal = Rehearsal(read_mocks(job.request), job.now)
    start = read_start({**job.request, "workflowId": job.workflow_id}, lambda: job.workflow_id)
    try:
        rehearsal.prepare(job.definition, job.others)
        rehearsal.play(msgspec.structs.replace(start, workflow_id=job.workflow_id, idempotency_key=None))
    except BatonError as error:
        return Played(refused=str(error))
    workflow = run_json(rehearsal.harness.store, job.workflow_id, include_tasks=True)
    return Played(workflow=workflow, stopped=rehearsal.stopped)


def main() -> None:
    """Take the job, and answer."""
    # What the road logs must not stand in the answer.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    log.configure("error", "text")
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    with out:
        out.write(msgspec.json.encode(play(job)))


if __name__ == "__main__":
    main()
