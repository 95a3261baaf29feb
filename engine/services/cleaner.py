"""The cleaner: has runs removed that ended long ago, and forgets what was archived of them longer ago still.

Without settings that say how long, everything is kept. It removes nothing itself: it asks, as an operator would.
"""

from __future__ import annotations

from typing import Final

from engine.broker.port import Broker
from engine.clock import Clock, Instant, after
from engine.config import Settings
from engine.log import get_logger
from engine.model.request import Request
from engine.store.port import Store
from engine.wire.request_message import encode_request

log = get_logger(__name__)

#: Seconds between two looks, and runs and archives that one look deals with. Where there were so many, there may be
#: more: the next look is soon, but asks for more only when those are gone, so that never more removals stand in line.
_PAUSE_SECONDS: Final = 60.0
_SOON_SECONDS: Final = 1.0
_MOST_AT_ONCE: Final = 500

#: Archives that may wait in the database for a storage outside; so long as there are more, no run is removed.
_MOST_WAITING: Final = 2_000

#: Who asks, in the audit trail.
_ASKER: Final = "cleaner"


class Cleaner:
    """One look at a time; the timekeeper's process calls it."""

    def __init__(self, store: Store, broker: Broker, clock: Clock, settings: Settings, partitions: int) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._settings = settings
        self._partitions = partitions
        self._next = Instant(0)
        #: The runs that were asked for last, and until when they count as asked for.
        self._asked: frozenset[str] = frozenset()
        self._asked_until = Instant(0)

    def look(self) -> None:
        """Ask for the removal of what ended long ago, if it is time to look; more of it follows at the next look."""
        now = self._clock.now()
        if now < self._next:
            return
        settings, counts = self._settings, [0]
        if settings.ended_runs_kept_seconds:
            counts.append(self._remove(now, after(now, -settings.ended_runs_kept_seconds)))
        if settings.archives_kept_seconds:
            with self._store.transaction() as tx:
                count = tx.forget_archives(after(now, -settings.archives_kept_seconds), _MOST_AT_ONCE)
            if count:
                log.info("archives.forgotten", count=count)
            counts.append(count)
        self._next = after(now, _SOON_SECONDS if max(counts) == _MOST_AT_ONCE else _PAUSE_SECONDS)

    def _remove(self, now: Instant, before: Instant) -> int:
        """Have runs removed whose parents have been, and return how many were found.

        A child of a run that is still there may be asked for.
        """
        if self._is_outside_behind():
            return 0
        with self._store.transaction() as tx:
            found = tx.ended_before(before, _MOST_AT_ONCE)
        if not found or (now < self._asked_until and not self._asked.isdisjoint(found)):
            return len(found)
        self._asked, self._asked_until = frozenset(found), after(now, _PAUSE_SECONDS)
        requests = (
            Request(
                event_id=f"{identity}/clean/{now}",
                workflow_id=identity,
                verb="remove",
                arguments={"archiveWorkflow": self._settings.archive_ended_runs},
                by=_ASKER,
            )
            for identity in found
        )
        self._broker.publish([encode_request(each, self._partitions) for each in requests])
        log.info("runs.removed", count=len(found))
        return len(found)

    def _is_outside_behind(self) -> bool:
        """Tell whether archives wait to be moved out of the database, so many that no more are to be made."""
        if self._settings.archive_url is None or not self._settings.archive_ended_runs:
            return False
        with self._store.transaction() as tx:
            waiting = tx.archives_in_rows(_MOST_WAITING)
        if waiting < _MOST_WAITING:
            return False
        log.warning("runs.kept", reason=f"{waiting:,} archives or more wait in the database for the archive storage")
        return True
