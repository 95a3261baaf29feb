"""A Celery app that imports nothing but Celery, set as the handbook asks of such apps."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import Ignore

app = Celery("vanilla", broker=os.environ["VANILLA_BROKER"], backend=os.environ.get("VANILLA_BACKEND", "rpc://"))
app.conf.update(
    task_acks_late=os.environ.get("VANILLA_ACK") != "early",
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
)
if os.environ.get("VANILLA_QUEUES") == "quorum":
    app.conf.task_create_missing_queue_type = "quorum"
else:
    app.conf.task_queue_max_priority = 10


@app.task(name="add")
def add(left: float, right: float) -> dict[str, float]:
    """Return a sum."""
    return {"sum": left + right}


@app.task(name="note")
def note(file: str, line: str) -> None:
    """Write a line down, to tell in which order tasks ran, as slowly as work is done that queues before a worker."""
    time.sleep(0.1)
    with Path(file).open("a") as lines:
        lines.write(line + "\n")


@app.task(name="visit", bind=True)
def visit(self: Any, journal: str, seconds: float) -> None:
    """Write down when it began and ended, to tell how many of its kind were at work at the same time."""
    for moment in ("begin", "end"):
        with Path(journal).open("a") as lines:
            lines.write(f"{moment} {self.request.id} {time.time()}\n")
        if moment == "begin":
            time.sleep(seconds)


@app.task(name="hold")
def hold(gate: str) -> None:
    """Last until a file is there."""
    while not Path(gate).exists():
        time.sleep(0.02)


@app.task(name="once")
def once(file: str, gate: str) -> dict[str, int]:
    """Hang for ever in the first attempt, and not in later ones."""
    with Path(file).open("a") as lines:
        lines.write("attempt\n")
    attempts = len(Path(file).read_text().splitlines())
    while attempts == 1 and not Path(gate).exists():
        time.sleep(0.02)
    return {"attempts": attempts}


@app.task(name="ignored")
def ignored() -> None:
    """End without a word."""
    raise Ignore


@app.task(name="replaced", bind=True)
def replaced(self: Any) -> None:
    """Become another task, whose end is not this one's."""
    raise self.replace(add.si(1, 2))


@app.task(name="leaves")
def leaves() -> None:
    """Take the process along."""
    sys.exit(3)


@app.task(name="elsewhere")
def elsewhere() -> str:
    """Answer; served by a worker whose results go somewhere else."""
    return "said to somebody else"


@app.task(name="huge")
def huge(size: int) -> str:
    """Return more than may be stored."""
    return "x" * size


@app.task(name="odd")
def odd(kind: str) -> Any:
    """Return something that is not JSON."""
    return {"object": object(), "nan": {"ratio": float("nan")}, "bytes": b"\xff"}[kind]


@app.task(name="measure")
def measure(given: dict[str, Any]) -> dict[str, Any]:
    """Tell what arrived."""
    return {
        "keys": len(given),
        "longest": max(len(str(value)) for value in given.values()),
        "first": given.get("first"),
    }
