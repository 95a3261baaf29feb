"""Promises in seconds are made for a machine of usual speed that has time for us; where it is slower they stretch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds that one sample takes where the promises were measured: two cores with nothing else to do.
_USUAL_SECONDS = 0.02

_SAMPLES = 15


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Check that what is done inside takes less than so many seconds, on a machine of usual speed."""
    slowness = _slowness()
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    allowed = seconds * max(slowness, _slowness())
    assert took < allowed, f"took {took:.1f} s; here and now {allowed:.1f} s would have been well"


def _slowness() -> float:
    """Return how many times longer than usual a computation takes just now; 1 where it takes less."""
    began = time.monotonic()
    for _ in range(_SAMPLES):
        sum(range(1_000_000))
    return max(1.0, (time.monotonic() - began) / _SAMPLES / _USUAL_SECONDS)
