"""The only clock: everything else is told the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NewType, Protocol

#: Microseconds since 1970-01-01 UTC. An integer, so that it survives JSON, SQL and arithmetic unchanged.
Instant = NewType("Instant", int)

SECOND = 1_000_000
MILLISECOND = 1_000

#: The last moment of the year 9999: dates beyond it fit neither databases nor calendars.
LATEST = Instant(253_402_300_799_999_999)


class Clock(Protocol):
    """Whatever tells the time; tests put a settable one here."""

    def now(self) -> Instant:
        """Return the present moment."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> Instant:
        """Return the present moment, read from the operating system."""
        return Instant(time.time_ns() // 1_000)


def after(moment: int, seconds: float) -> Instant:
    """Return the instant ``seconds`` later than ``moment``, at most ``LATEST``."""
    return Instant(min(moment + round(seconds * SECOND), LATEST))


def milliseconds(moment: int) -> int:
    """Return ``moment`` as epoch milliseconds, the unit of Conductor's wire."""
    return moment // MILLISECOND


def iso(moment: int) -> str:
    """Return ``moment`` as Conductor prints it in texts: ``2026-08-01T12:00:00.000Z``."""
    return datetime.fromtimestamp(moment / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
