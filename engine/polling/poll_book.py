"""Remembers who has polled for what, and writes it down now and then."""

from __future__ import annotations

import threading

from engine.clock import Clock, SystemClock, after
from engine.errors import Transient
from engine.log import get_logger
from engine.store.port import Store
from engine.store.worker_port import LastPoll

_log = get_logger(__name__)

#: Seconds between two writings: domains count as served for ten seconds after a poll, so some must pass in between.
WRITE_SECONDS = 2.0

#: Seconds after which a type of task that nobody has polled for is forgotten.
_KEPT_SECONDS = 7 * 86_400

#: Types and domains that are remembered between two writings; their names come from outside.
_MOST = 10_000


class PollBook:
    """One for each server, with a thread that writes."""

    def __init__(self, store: Store, *, clock: Clock | None = None, write_seconds: float = WRITE_SECONDS) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._write_seconds = write_seconds
        self._lock = threading.Lock()
        self._polls: dict[tuple[str, str], LastPoll] = {}
        self._something = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poll-book", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what there is, and stop."""
        self._stopped.set()
        self._something.set()
        if self._thread.is_alive():
            self._thread.join(self._write_seconds)

    def note(self, task_type: str, domain: str | None, worker: str | None) -> None:
        """Remember that a worker has polled just now."""
        poll = LastPoll(task_type=task_type, domain=domain or "", worker=worker, at=self._clock.now())
        with self._lock:
            if len(self._polls) < _MOST or (poll.task_type, poll.domain) in self._polls:
                self._polls[poll.task_type, poll.domain] = poll
        self._something.set()

    def write(self) -> None:
        """Write down what was noted since the last time."""
        with self._lock:
            polls, self._polls = list(self._polls.values()), {}
            self._something.clear()
        if not polls:
            return
        try:
            with self._store.transaction() as transaction:
                transaction.note_polls(polls)
                transaction.forget_polls(after(self._clock.now(), -_KEPT_SECONDS))
        except Transient as error:
            # Who still polls will be noted again.
            _log.info("polls.not_noted", reason=str(error))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._something.wait()
            try:
                self.write()
            except Exception:
                _log.exception("polls.not_noted")
            self._stopped.wait(self._write_seconds)
        self.write()
