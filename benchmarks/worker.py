"""The Celery worker of the benchmarks: its tasks are served to Baton and to bare Celery alike."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("benchmarks", broker=os.environ.get("BATON_BROKER_URL"), backend="rpc://")
app.conf.update(
    task_acks_late=True,
    task_queue_max_priority=10,
    task_default_queue="empty",
    task_routes={"fibo": {"queue": "fibo"}},
    worker_enable_remote_control=True,
    broker_connection_retry_on_startup=True,
    result_persistent=False,
)


@app.task(name="empty")
def empty(**_: object) -> None:
    """Do nothing, as fast as possible."""


@app.task(name="fibo")
def fibo(number: int) -> int:
    """Return a Fibonacci number, the slow way: a little work, as a light task has."""
    return fibonacci(number)


def fibonacci(number: int) -> int:
    """Return the ``number``-th, by calling itself twice."""
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)
