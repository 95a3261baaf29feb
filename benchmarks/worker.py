"""The Celery worker of the benchmarks: its tasks are served to Baton and to bare Celery alike."""

from __future__ import annotations

import os

from celery import Celery


def app_for(broker_url: str | None, backend: str = "rpc://", queue: str = "empty") -> Celery:
    """Return the app with its tasks, for a broker; one for each, because an app keeps its first connections."""
    made = Celery("benchmarks", broker=broker_url, backend=backend, set_as_current=False)
    made.conf.update(
        task_acks_late=True,
        task_queue_max_priority=10,
        task_default_queue=queue,
        task_routes={"fibo": {"queue": "fibo"}},
        worker_enable_remote_control=True,
        broker_connection_retry_on_startup=True,
        result_persistent=False,
    )
    # Not shared: every other app of the process would have them too.
    made.task(name="empty", shared=False)(empty)
    made.task(name="fibo", shared=False)(fibo)
    return made


def empty(**_: object) -> None:
    """Do nothing, as fast as possible."""


def fibo(number: int) -> int:
    """Return a Fibonacci number, the slow way: a little work, as a light task has."""
    return fibonacci(number)


def fibonacci(number: int) -> int:
    """Return the ``number``-th, by calling itself twice."""
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)


app = app_for(os.environ.get("BATON_BROKER_URL"))
