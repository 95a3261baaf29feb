"""The archivist: carries archives of removed runs out of the database into a folder or bucket, and clears out old ones.

An archive is written, read back, and only then is its row emptied: whoever dies in between leaves a copy that the next
one writes over. A storage that is away is waited for; the archives stay in their rows and can be read there, and the
cleaner has no more runs removed than wait already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from engine.clock import Clock, SystemClock, after
from engine.config import Settings
from engine.errors import Transient
from engine.log import get_logger
from engine.services.opening import archive_storage
from engine.services.stopping import Stop
from engine.store.archive_port import Archived
from engine.store.archive_storage import ArchiveStorage
from engine.store.port import Store

log = get_logger(__name__)

#: Archives that are taken in hand together, and those of them that are on their way at a time.
_MOST_AT_ONCE: Final = 100
_HANDS: Final = 4

#: Seconds until somebody else may take over what one has in hand.
_LEASE_SECONDS: Final = 300.0

#: Seconds between two looks when there was nothing to do, and after a failure.
_PAUSE_SECONDS: Final = 5.0
_AWAY_SECONDS: Final = 15.0


@contextmanager
def archivist_beside(store: Store, settings: Settings, stop: Stop) -> Iterator[None]:
    """Have an archivist at work while the block lasts, where archives are kept outside.

    It ends with the wish to stop or with the block, which waits for what it has begun, but no longer than processes
    drain.
    """
    storage = archive_storage(settings)
    if storage is None:
        yield
        return
    # A wish of its own: asking the process's would be taken for a sign that the process itself goes on.
    own = Stop()
    stop.also(own.now)
    archivist = Archivist(store, storage, settings, own, clock=SystemClock())
    thread = threading.Thread(target=archivist.run, name="archivist", daemon=True)
    thread.start()
    try:
        yield
    finally:
        own.now()
        thread.join(settings.drain_seconds)


class Archivist:
    """Carries until told to stop, in a thread of its own: a slow storage keeps no date waiting."""

    def __init__(self, store: Store, storage: ArchiveStorage, settings: Settings, stop: Stop, *, clock: Clock) -> None:
        self._store = store
        self._storage = storage
        self._kept_seconds = settings.archives_kept_seconds
        self._stop = stop
        self._clock = clock
        #: What was taken in hand and is not outside yet.
        self._in_hand: tuple[Archived, ...] = ()

    def run(self) -> None:
        """Carry what there is, pause when there is nothing, until stopped; what is away is waited for."""
        while not self._stop.wanted():
            try:
                done = self.look()
            except Transient as error:
                log.warning("archives.left_in_database", reason=str(error), retry_in_seconds=_AWAY_SECONDS)
                self._stop.sleep(_AWAY_SECONDS)
                continue
            except Exception:
                log.exception("archives.left_in_database", retry_in_seconds=_AWAY_SECONDS)
                self._stop.sleep(_AWAY_SECONDS)
                continue
            if not done:
                self._stop.sleep(_PAUSE_SECONDS)

    def look(self) -> int:
        """Carry some archives out and delete some old ones; return how many. Raises ``Transient`` when that fails."""
        return self._carry_out() + self._clear_out()

    def _carry_out(self) -> int:
        if not self._in_hand:
            with self._store.transaction() as tx:
                self._in_hand = tx.archives_to_move(self._clock.now(), _LEASE_SECONDS, _MOST_AT_ONCE)
        if not self._in_hand:
            return 0
        moved, failure = self._each(self._in_hand, self._carry)
        if moved:
            with self._store.transaction() as tx:
                tx.note_moved(moved, self._clock.now())
            log.info("archives.moved", count=len(moved))
        self._in_hand = tuple(each for each in self._in_hand if each not in moved)
        if failure is not None:
            if not isinstance(failure, Transient):
                # One that cannot be carried keeps nobody waiting: it is taken up again when the lease has passed.
                self._in_hand = ()
            raise failure
        return len(moved)

    def _clear_out(self) -> int:
        if not self._kept_seconds:
            return 0
        with self._store.transaction() as tx:
            old = tx.archives_moved(after(self._clock.now(), -self._kept_seconds), _MOST_AT_ONCE)
        if not old:
            return 0
        gone, failure = self._each(old, lambda each: self._storage.remove(each.workflow_id))
        with self._store.transaction() as tx:
            tx.forget_moved(gone)
        log.info("archives.forgotten", count=len(gone))
        if failure is not None:
            raise failure
        return len(gone)

    def _carry(self, archived: Archived) -> None:
        """Write the archive of a run; one that is another by now is written by whoever takes that in hand."""
        with self._store.transaction() as tx:
            removed = tx.removed_run(archived.workflow_id)
        if removed is not None and removed.document is not None and not removed.outside:
            self._storage.put(archived.workflow_id, removed.document)

    def _each(
        self, archives: Sequence[Archived], act: Callable[[Archived], None]
    ) -> tuple[Sequence[Archived], Exception | None]:
        """Do something with each, a few at a time; return those with which it went well, and what went wrong first."""
        failures: list[Exception] = []

        def attempt(each: Archived) -> bool:
            if self._stop.wanted() or any(isinstance(failure, Transient) for failure in failures):
                # What fails once because the storage is away fails for the others too, each after a long wait.
                return False
            try:
                act(each)
            except Exception as error:
                failures.append(error)
                return False
            return True

        with ThreadPoolExecutor(_HANDS, thread_name_prefix="archivist") as hands:
            well = list(hands.map(attempt, archives))
        return [each for each, done in zip(archives, well, strict=True) if done], failures[0] if failures else None
