"""Ends a process that computes on one batch without end, so that the broker hands the batch to another one.

Nobody else would notice: the broker's connection has a thread of its own, which goes on giving signs of life. What the
batch costs is measured in processor time, so that waiting for the database or the broker, however long, is no reason.
"""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.log import get_logger

log = get_logger(__name__)

_STANDARD_ERROR = 2

#: Seconds between two looks: a part of what a batch may take, and not more.
_LOOK_SECONDS = 5.0
_LOOKS = 4


class Watchdog:
    """Watches one thread. ``seconds`` is the processor time that it may take between ``begin`` and ``end``.

    Code in C that never lets another thread run keeps the watchdog from looking, too. For that case the interpreter
    itself is told, look by look, to end the process unless it is told again within as many seconds.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pause = min(_LOOK_SECONDS, seconds / _LOOKS)
        #: The watched thread's clock, and what it showed when the batch was begun; None between batches.
        self._began: tuple[int, float] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    @contextmanager
    def on_duty(self) -> Iterator[None]:
        """Watch until the block is left."""
        self._hold_back()
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()
            faulthandler.cancel_dump_traceback_later()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count the processor time that this thread takes inside the block."""
        clock = _clock_of_this_thread()
        self._began = None if clock is None else (clock, time.clock_gettime(clock))
        try:
            yield
        finally:
            self._began = None

    def _watch(self) -> None:
        while not self._ended.wait(self._pause):
            self._hold_back()
            began = self._began
            if began is not None and time.clock_gettime(began[0]) - began[1] > self._seconds:
                self._end()

    def _hold_back(self) -> None:
        """Put off the end that comes when no look is taken any more."""
        faulthandler.dump_traceback_later(self._seconds + self._pause, exit=True, file=_STANDARD_ERROR)

    def _end(self) -> None:
        log.error("service.computes_without_end", processor_seconds=self._seconds)
        # The stacks of all threads say where.
        faulthandler.dump_traceback(file=_STANDARD_ERROR)
        os._exit(1)


def _clock_of_this_thread() -> int | None:
    """Return the clock of this thread's processor time; None on systems that have none which others can read."""
    clock_of = getattr(time, "pthread_getcpuclockid", None)
    return None if clock_of is None else int(clock_of(threading.get_ident()))
