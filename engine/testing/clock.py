"""A clock that stands still until somebody sets it."""

from __future__ import annotations

from engine.clock import Instant, after

#: 2030-01-01 00:00 UTC: far from any real date, so that nothing passes by accident.
START = Instant(1_893_456_000_000_000)


class FixedClock:
    """Tells the time that a test has set."""

    def __init__(self, now: Instant = START) -> None:
        self._now = now

    def now(self) -> Instant:
        """Return the moment that was set."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now = after(self._now, seconds)

    def set(self, moment: Instant) -> None:
        """Jump to a moment."""
        self._now = moment
