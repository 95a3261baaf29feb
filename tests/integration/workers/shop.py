"""A Celery app with one task for every way in which a task can end; run as a worker by the tests beside it."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import Celery
from celery.exceptions import Reject

app = Celery("shop", broker=os.environ["SHOP_BROKER"], backend=os.environ["SHOP_BACKEND"])
app.conf.broker_connection_retry_on_startup = True
app.conf.broker_write_url = os.environ.get("SHOP_WRITES_TO", os.environ["SHOP_BROKER"])

if os.environ.get("SHOP_MINGLES_OVER_A_LOST_LINE"):
    # A line that is lost just when the worker asks its neighbours: too short a moment to be met from outside.
    from celery.worker.consumer.mingle import Mingle
    from kombu.exceptions import OperationalError

    hellos = iter([OperationalError("[Errno 104] Connection reset by peer")])
    say_hello = Mingle.send_hello

    def lose_the_first(self: Mingle, consumer: Any) -> Any:
        for lost in hellos:
            raise lost
        return say_hello(self, consumer)

    Mingle.send_hello = lose_the_first

if os.environ.get("SHOP_CONNECTED"):
    from workers import connect

    connect(app, domain=os.environ["SHOP_CONNECTED"])
else:
    # What the handbook asks of workers that know nothing but Celery.
    app.conf.update(task_acks_late=True, task_queue_max_priority=10, worker_prefetch_multiplier=1)


class Unsendable(Exception):
    """An exception that cannot be pickled, as those that hold a connection."""

    def __init__(self, first: str, second: object) -> None:
        super().__init__(first)
        self.second = lambda: second


def _resize(path: str) -> None:
    """Need an argument."""


@app.task
def give(kind: str) -> Any:
    """Return something of this kind."""
    circle: list[Any] = []
    circle.append(circle)
    values: dict[str, Any] = {
        "dict": {"width": 3},
        "none": None,
        "list": [1, 2],
        "tagged": {
            "at": datetime(2026, 1, 2, tzinfo=UTC),
            "id": UUID(int=1),
            "price": Decimal("1.50"),
            "raw": b"\xff",
        },
        "nan": {"ratio": float("nan")},
        "surrogate": "\ud800",
        "object": object(),
        "circle": circle,
    }
    return "x" * 30_000_000 if kind == "large" else values[kind]


@app.task
def fail(kind: str) -> None:
    """End in this way."""
    match kind:
        case "value":
            raise ValueError("no such file")
        case "file":
            raise FileNotFoundError(2, "No such file or directory", "a.jpg")
        case "unsendable":
            raise Unsendable("size 3", object())
        case "inner type":
            _resize()  # type: ignore[call-arg]
        case "reject":
            raise Reject("not today", requeue=False)
        case "exit":
            sys.exit(3)
        case "memory":
            raise MemoryError("much")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)


@app.task
def die(kind: str) -> None:
    """Take the worker along, in this way, a little after the beginning."""
    time.sleep(0.3)
    match kind:
        case "exit":
            os._exit(7)
        case "exit well":
            os._exit(0)
        case "parent":
            # As the kernel does when it finds the parent to be the largest process.
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.terminal")
def terminal() -> None:
    """Fail for good."""
    from workers import TerminalError

    raise TerminalError("no such customer", {"customer": 3})


@app.task(track_started=True, bind=True)
def tell(self: Any) -> str:
    """Report progress."""
    self.update_state(state="PROGRESS", meta={"done": 1, "of": 2})
    return "end"


@app.task(ignore_result=True)
def silent() -> str:
    """Return something that nobody is meant to see."""
    return "heard"


@app.task(bind=True)
def again(self: Any) -> int:
    """Ask for two further runs."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.1, exc=ValueError("not yet"))
    return int(self.request.retries)


@app.task(track_started=True)
def wait(seconds: float) -> str:
    """Take some time."""
    time.sleep(seconds)
    return "waited"


@app.task(bind=True)
def hold(self: Any, gate: str) -> dict[str, Any]:
    """Take as long as a file is not there."""
    while not Path(gate).exists():
        time.sleep(0.02)
    return {"redelivered": self.request.delivery_info["redelivered"]}


@app.task
def leave(trace: str) -> None:
    """Leave a file behind."""
    Path(trace).touch()


@app.task(time_limit=0.5)
def hard() -> None:
    """Run into a hard time limit."""
    time.sleep(60)


@app.task(soft_time_limit=0.5)
def soft() -> None:
    """Run into a soft time limit."""
    time.sleep(60)


@app.task(bind=True)
def about(self: Any) -> dict[str, Any]:
    """Tell what the message said."""
    request = self.request
    return {"attempt": getattr(request, "attempt", None), "priority": request.delivery_info["priority"]}
