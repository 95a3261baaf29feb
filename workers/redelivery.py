"""What a connected worker does with a task that was handed out before: whoever had it may have died of it.

Queues with priorities do not count deliveries, and a message that kills its worker comes back for ever. So before such
a task is begun once more the engine is asked: it counts, and ends the attempt when too many workers were lost with it.
A message whose attempt has ended is acked without being run.

Tasks that were only running beside the one that kills come back with it. From the second loss on, the tasks of one
worker therefore begin one after the other, so that no more than one of them is counted when the worker dies again.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from celery import Task
from celery.exceptions import Ignore

from engine.identifier import new_id
from engine.model.request import Outcome, Request

_log = structlog.get_logger(__name__)

#: Seconds to wait for the engine's word. Without it the task is run: the engine is away, and its being away must not
#: stop every worker. A task that kills does so no more often than this until the engine is back.
ANSWER_SECONDS: Final = 10.0

#: Beginnings of one attempt up to which tasks run side by side.
_TOGETHER: Final = 2

#: Seconds for which a task that was lost twice keeps others of its kind waiting. What kills its worker mostly does so
#: at once, and long tasks must not wait for each other's ends.
_ALONE_SECONDS: Final = 60.0

#: Seconds between two attempts to get the turn. Waiting in the kernel would stop every task of a gevent pool.
_GLANCE_SECONDS: Final = 0.05

#: The engine's answer to a verb that it does not know, because it is older than this worker.
_UNKNOWN: Final = 400

#: One for all threads and processes of a worker: this module is imported before the pool forks.
_LOCK: Final = Path(tempfile.gettempdir()) / f"baton-worker-{os.getuid()}-{os.getpid()}.lock"


def is_redelivered(request: Any) -> bool:
    """Return whether the task's message was handed out before and came back."""
    return bool((request.delivery_info or {}).get("redelivered"))


@contextmanager
def begun_again(task: Task, request: Any) -> Iterator[bool]:
    """Ask the engine whether a redelivered task may be begun once more, and hold others back where need be.

    Gives whether the engine knows now that it runs. Raises ``Ignore``, by which Celery acks the message and says
    nothing, when the attempt has ended.
    """
    turn = _Turn()
    try:
        outcome: Outcome | None = task.backend.ask(_question(request), request.reply_to, ANSWER_SECONDS)
        if outcome is not None and not outcome.granted and outcome.code != _UNKNOWN:
            _log.warning("task.not_begun_again", task=task.name, task_id=request.id, reason=outcome.message)
            raise Ignore(outcome.message)
        known = outcome is not None and outcome.granted
        times = outcome.result.get("timesBegun", 0) if outcome is not None else 0
        _log.info("task.begun_again", task=task.name, task_id=request.id, times=times)
        turn.end(after_seconds=_ALONE_SECONDS if times > _TOGETHER else 0)
        yield known
    finally:
        turn.end()


def _question(request: Any) -> Request:
    workflow_id = request.id.rpartition(".")[0]
    return Request(
        event_id=new_id(),
        workflow_id=workflow_id,
        verb="take_again",
        arguments={"taskId": request.id, "workerId": request.hostname},
        by=request.hostname,
    )


class _Turn:
    """The right to begin a task that was lost before, had by one thread or process of the worker at a time.

    The operating system takes it back from a process that dies.
    """

    def __init__(self) -> None:
        """Wait for it; where it cannot be had at all (no room for the file), do without."""
        self._ended = threading.Lock()
        try:
            self._file: int | None = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            _log.warning("task.turn_not_to_be_had", reason=str(error))
            self._file = None
            return
        while not self._got():
            time.sleep(_GLANCE_SECONDS)

    def end(self, after_seconds: float = 0) -> None:
        """Let the next one begin, at once or later; once is enough."""
        if after_seconds:
            timer = threading.Timer(after_seconds, self.end)
            timer.daemon = True
            timer.start()
        elif self._file is not None and self._ended.acquire(blocking=False):
            os.close(self._file)

    def _got(self) -> bool:
        assert self._file is not None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
