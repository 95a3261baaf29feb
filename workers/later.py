"""Messages that are to be published later, as Celery's ``countdown`` asks, where the broker itself knows no delay."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

import structlog

from engine.errors import BrokerUnavailable
from engine.wire.message import Message

_log = structlog.get_logger(__name__)


class Later:
    """Publishes messages when their delay is over, from one thread."""

    def __init__(self, publish: Callable[[Message], None]) -> None:
        self._publish = publish
        self._waiting: list[tuple[float, int, Message]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="worker-later", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Publish what still waits, so that it is in its queue for whoever comes next, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def publish(self, message: Message, delay_seconds: float) -> None:
        """Publish ``message`` after ``delay_seconds``."""
        with self._changed:
            heapq.heappush(self._waiting, (time.monotonic() + delay_seconds, next(self._order), message))
            self._changed.notify()

    def _run(self) -> None:
        while (message := self._next()) is not None:
            try:
                self._publish(message)
            except BrokerUnavailable as lost:
                # The task is sent again by the engine when its response timeout ends the silence.
                _log.warning("worker.retry_lost", task_id=message.message_id, reason=str(lost))

    def _next(self) -> Message | None:
        """Wait for the next message that is due; None when all is done."""
        with self._changed:
            while True:
                if not self._waiting and self._stopping:
                    return None
                remaining = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if remaining is not None and (remaining <= 0 or self._stopping):
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(remaining)
