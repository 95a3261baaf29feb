"""What a worker takes from its queue: a message that is no task is rejected, where Celery's worker would end of it.

Celery unpacks a message in the worker's main process. One that is not what it expects ends the process, comes back to
the queue, and ends the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery, Task
from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default

from engine.model.payload import Json


def careful_strategy(task: Task, app: Celery, consumer: Any) -> Callable[..., Any]:
    """Return Celery's own way of taking a task's messages, for messages that are tasks; a ``Task.Strategy``.

    Others raise ``InvalidTaskError``: Celery logs them and rejects them, and the policy of the queue decides whether
    they become dead letters.
    """
    take = default(task, app, consumer)

    def take_carefully(message: Any, body: Json, *args: Any, **options: Any) -> Any:
        _expect_headers(message.headers)
        if body is None:
            # Read once; the message keeps it. Celery answers for what cannot be decoded.
            _expect_arguments(message.payload)
        try:
            return take(message, body, *args, **options)
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            raise InvalidTaskError(f"the message cannot be taken: {type(error).__name__}: {error}") from error

    return take_carefully


def _expect_headers(headers: Json) -> None:
    if not isinstance(headers, Mapping) or not isinstance(headers.get("id"), str):
        raise InvalidTaskError("the message has no id of a task among its headers")
    limits = headers.get("timelimit") or (None, None)
    if not isinstance(limits, list | tuple) or len(limits) != 2 or not all(map(_is_limit, limits)):
        raise InvalidTaskError(f"the time limits of the task are {limits!r:.100}, not two numbers of seconds")
    if not isinstance(headers.get("retries") or 0, int):
        raise InvalidTaskError(f"the task's retries are {headers['retries']!r:.100}, not a number")


def _is_limit(limit: Json) -> bool:
    return limit is None or (isinstance(limit, int | float) and limit >= 0)


def _expect_arguments(payload: Json) -> None:
    if isinstance(payload, Mapping) and "args" in payload:
        # Celery's first protocol, which it translates by itself.
        return
    shape = [list, Mapping, Mapping | None]
    fits = isinstance(payload, list | tuple) and len(payload) == 3
    if not fits or not all(isinstance(part, kind) for part, kind in zip(payload, shape, strict=True)):
        raise InvalidTaskError("the message does not hold positional arguments, keyword arguments and Celery's part")
