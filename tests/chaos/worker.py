"""The Celery app of the chaos: small tasks that write down each of their executions.

With ``CHAOS_CONNECTED`` set it is connected to the engine; else it is a plain Celery app with the handbook's settings.
"""

from __future__ import annotations

import os
import resource
import time
import zlib
from pathlib import Path
from typing import Any

from celery import Celery

import workers

#: Bytes that a hungry process may have beyond what it has, and how many it takes at a time.
ALLOWED, PORTION = 64 * 2**20, 4 * 2**20

app = Celery("chaos", broker=os.environ["BATON_BROKER_URL"], backend="rpc://")
if os.environ.get("CHAOS_CONNECTED"):
    workers.connect(app)
else:
    app.conf.update(
        task_acks_late=True,
        task_queue_max_priority=10,
        worker_prefetch_multiplier=1,
        worker_enable_prefetch_count_reduction=False,
        broker_transport_options={"confirm_publish": True},
    )


def note(task: Any) -> None:
    """Write an execution down."""
    write_line(os.environ["CHAOS_EXECUTIONS"], f"{task.request.id} {task.name}")


def write_line(file: str, line: str) -> None:
    """Write one line; O_APPEND keeps the lines of many processes whole."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)


@app.task(name="add", bind=True)
def add(self: Any, left: int, right: int) -> dict[str, int]:
    """Return a sum."""
    note(self)
    return {"sum": left + right}


@app.task(name="nap", bind=True)
def nap(self: Any, left: int, seconds: float) -> dict[str, int]:
    """Take a while, so that something happens meanwhile."""
    note(self)
    time.sleep(seconds)
    return {"sum": left}


@app.task(name="plan", bind=True)
def plan(self: Any, count: int) -> dict[str, Any]:
    """Return the branches of a dynamic fork: each adds its number to itself."""
    note(self)
    refs = [f"part_{number}" for number in range(count)]
    return {
        "tasks": [{"name": "add", "taskReferenceName": ref, "type": "SIMPLE"} for ref in refs],
        "inputs": {ref: {"left": number, "right": number} for number, ref in enumerate(refs)},
    }


@app.task(name="total", bind=True)
def total(self: Any, parts: dict[str, dict[str, int]]) -> dict[str, int]:
    """Return the sum of what branches returned."""
    note(self)
    return {"sum": sum(part["sum"] for part in parts.values())}


@app.task(name="moody", bind=True)
def moody(self: Any, left: int) -> dict[str, int]:
    """Fail in about every second attempt; which ones follows from the attempt's id."""
    note(self)
    if zlib.crc32(self.request.id.encode()) % 2:
        raise RuntimeError("not now")
    return {"sum": left}


@app.task(name="hopeless", bind=True)
def hopeless(self: Any) -> None:
    """Fail for good."""
    note(self)
    raise workers.TerminalError("no retry can help")


@app.task(name="hungry", bind=True)
def hungry(self: Any, left: int) -> dict[str, int]:
    """Take more memory than the process may have, in the first attempt, and die of it as programs in C do."""
    note(self)
    if not self.request.attempt:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ALLOWED, resource.RLIM_INFINITY))
        hoard = []
        try:
            while True:
                hoard.append(bytearray(PORTION))
        except MemoryError:
            write_line(os.environ["CHAOS_STARVED"], str(time.monotonic()))
            os.abort()
    return {"sum": left}
