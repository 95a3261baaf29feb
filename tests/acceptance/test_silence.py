"""Attempts that end without a word are ended by the engine and tried again; waiting in a long queue is no silence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.acceptance.processes import Process, until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow

#: Tasks of which no worker sends any word, and why.
SILENT = {
    "ignored": "the task raises Ignore",
    "replaced": "the task is replaced by another",
    "elsewhere": "the worker's results go to another backend",
    "dropped": "the message is taken and thrown away",
}

#: What makes a worker ack a message and throw it away: never our doing, but somebody in between may change messages.
UNREADABLE: Mapping[str, Callable[[dict[str, Any], list[Any]], Any]] = {
    "odd eta": lambda headers, body: headers.update(eta="soon"),
    "odd expires": lambda headers, body: headers.update(expires="some day"),
    "listed inputs": lambda headers, body: body.__setitem__(1, ["left", "right"]),
}

#: Ends its process; whether Celery still says so depends on which of two threads of the worker is faster.
LEAVES = "leaves"


@pytest.fixture(scope="module")
def workers(small: Stack) -> Iterator[None]:
    """Serve every silent task but the dropped one."""
    surroundings = vanilla(small)
    started = [
        small.celery("vanilla", "worker-ignoring", "-c", "1", "-Q", "ignored,replaced", **surroundings),
        small.celery("vanilla", "worker-leaving", "-c", "1", "-Q", LEAVES, **surroundings),
        small.celery(
            "vanilla",
            "worker-elsewhere",
            "-P",
            "solo",
            "-Q",
            "elsewhere",
            VANILLA_BACKEND="cache+memory://",
            **surroundings,
        ),
    ]
    small.ready(*started)
    yield
    end(*started)


@pytest.fixture(scope="module")
def runs(small: Stack, workers: None) -> Mapping[str, str]:
    """Start a workflow for each silent task, all at once; their time runs together."""
    names = [*SILENT, *UNREADABLE, LEAVES]
    small.define(
        *(workflow(f"silent {name}", simple(name)) for name in names),
        tasks=[task_def(name, retryCount=1, responseTimeoutSeconds=1) for name in names],
    )
    return {name: small.start(f"silent {name}") for name in names}


@pytest.mark.parametrize("name", SILENT)
def test_an_attempt_that_ends_in_silence_times_out_and_is_retried(
    small: Stack, runs: Mapping[str, str], name: str
) -> None:
    if name == "dropped":
        until("the message was thrown away twice", drops(small, name, times=2))
    run = small.ended(runs[name])
    assert [task["status"] for task in run["tasks"]] == ["TIMED_OUT", "TIMED_OUT"]
    assert "responseTimeout: 1 exceeded" in run["reasonForIncompletion"]
    assert run["status"] in ("FAILED", "TIMED_OUT")


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_task_whose_message_no_worker_can_read_times_out_and_is_retried(
    small: Stack, runs: Mapping[str, str], name: str
) -> None:
    until("the message was spoilt twice", spoils(small, name, times=2))
    run = small.ended(runs[name])
    assert [task["status"] for task in run["tasks"]] == ["TIMED_OUT", "TIMED_OUT"]
    assert "responseTimeout: 1 exceeded" in run["reasonForIncompletion"]


def test_a_task_that_ends_its_process_ends_too(small: Stack, runs: Mapping[str, str]) -> None:
    run = small.ended(runs[LEAVES])
    assert len(run["tasks"]) == 2
    assert {task["status"] for task in run["tasks"]} <= {"FAILED", "TIMED_OUT"}


def test_a_task_lost_with_its_worker_is_done_by_the_next(small: Stack, tmp_path: Path) -> None:
    # Given a worker that acks before it works, Celery's default, and hangs in the first attempt.
    surroundings = {**vanilla(small), "VANILLA_ACK": "early"}
    doomed = small.celery("vanilla", "worker-doomed", "-c", "1", "-Q", "once", **surroundings)
    attempts = tmp_path / "attempts"
    small.define(
        workflow("lost", simple("once", file=str(attempts), gate=str(tmp_path / "gate"))),
        tasks=[task_def("once", retryCount=1, responseTimeoutSeconds=1)],
    )
    small.ready(doomed)
    lost = small.start("lost")
    until("the first attempt has begun", attempts.exists)
    # When it is killed.
    doomed.kill()
    heir = small.celery("vanilla", "worker-heir", "-c", "1", "-Q", "once", **surroundings)
    # Then the attempt times out, and the next worker has the second.
    run = small.ended(lost)
    assert [(task["status"]) for task in run["tasks"]] == ["TIMED_OUT", "COMPLETED"]
    assert run["tasks"][1]["outputData"] == {"attempts": 2}
    assert run["status"] == "COMPLETED"
    end(heir)


def test_a_task_that_waits_in_a_long_queue_times_out_never(small: Stack, tmp_path: Path) -> None:
    # Given much more work than one worker does within the response timeout.
    lines = tmp_path / "lines"
    small.define(
        workflow("queued", simple("note", file=str(lines), line="done")),
        tasks=[task_def("note", responseTimeoutSeconds=2)],
    )
    queued = [small.start("queued") for _ in range(40)]
    for each in queued:
        small.when(each, "is scheduled", lambda run: run["tasks"])
    began = time.monotonic()
    # When it comes.
    worker = small.celery("vanilla", "worker-late", "-P", "solo", "-Q", "note", **vanilla(small))
    # Then every task is done, at the first attempt.
    ends = [small.ended(each) for each in queued]
    assert time.monotonic() - began > 3, "the queue was too short to show anything"
    assert {run["status"] for run in ends} == {"COMPLETED"}
    assert {len(run["tasks"]) for run in ends} == {1}
    end(worker)


def drops(stack: Stack, queue: str, times: int) -> object:
    """Return what throws away the messages of a queue and says when it has done so often enough."""
    dropped = 0

    def look() -> bool:
        nonlocal dropped
        with pika.BlockingConnection(pika.URLParameters(stack.broker_url)) as connection:
            method, _, _ = connection.channel().basic_get(queue, auto_ack=True)
        dropped += method is not None
        return dropped >= times

    return look


def spoils(stack: Stack, queue: str, times: int) -> object:
    """Return what spoils the messages of a queue, hands them to a worker and says when it has done so often enough."""
    spoilt = 0

    def look() -> bool:
        nonlocal spoilt
        with pika.BlockingConnection(pika.URLParameters(stack.broker_url)) as connection:
            channel = connection.channel()
            method, properties, content = channel.basic_get(queue, auto_ack=True)
            if method is not None:
                headers, body = {**properties.headers, "task": "add"}, json.loads(content)
                UNREADABLE[queue](headers, body)
                properties.headers = headers
                channel.basic_publish("", "ignored", json.dumps(body).encode(), properties)
                spoilt += 1
        return spoilt >= times

    return look


def end(*workers: Process) -> None:
    for worker in workers:
        worker.ask_to_stop()
    for worker in workers:
        worker.end()
