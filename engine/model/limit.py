"""Limits of a task's name: how many may be out at a time, and how many may be started in a stretch of time."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from engine.clock import Instant, after
from engine.model.definition import TaskDef
from engine.model.execution import NEVER

#: Slots of one limit that are granted at a time; for more it is looked at again at once. Bounds what a raise sets off.
MOST_GRANTS: Final = 500

#: A date that has come, whatever the time.
AT_ONCE: Final = Instant(1)


class Terms(Struct, frozen=True, kw_only=True):
    """What a limit allows; None allows any number."""

    #: Tasks that may be out at a time.
    at_once: int | None = None
    #: Starts within any ``seconds``: a sliding window.
    starts: int | None = None
    seconds: int = 1

    @property
    def is_limited(self) -> bool:
        """False when every task may go out at once."""
        return self.at_once is not None or self.starts is not None

    def room(self, held: int, started: int) -> int:
        """Return how many may go out now, ``MOST_GRANTS`` at the utmost.

        ``held`` are out already; ``started`` is the number of starts that lie within the window.
        """
        rooms = [MOST_GRANTS]
        if self.at_once is not None:
            rooms.append(self.at_once - held)
        if self.starts is not None:
            rooms.append(self.starts - started)
        return max(0, min(rooms))

    def next_look(self, now: Instant, *, granted: int, started: int, first: Instant) -> Instant:
        """Return when those who still wait have to be looked at though nobody ends.

        That is at once when no more than ``granted`` could be granted at a time, the moment when a start leaves the
        window when it is full (``first`` is the earliest of the ``started`` ones in it), and else never.
        """
        if granted == MOST_GRANTS:
            return AT_ONCE
        if self.starts is not None and started + granted >= self.starts:
            return after(first if started else now, self.seconds)
        return NEVER

    def window_opens(self, now: Instant) -> Instant:
        """Return the moment after which a start counts for the rate."""
        return after(now, -self.seconds)


def terms_of(definition: TaskDef) -> Terms:
    """Return what a task definition allows; missing numbers, 0 and less mean that there is no limit (Conductor 1.3)."""
    at_once, starts = definition.concurrent_exec_limit or 0, definition.rate_limit_per_frequency or 0
    seconds = definition.rate_limit_frequency_in_seconds
    return Terms(
        at_once=at_once if at_once > 0 else None,
        starts=starts if starts > 0 else None,
        seconds=seconds if seconds is not None and seconds > 0 else 1,
    )
