"""Waits for what other threads do."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds: much longer than anything takes on a busy machine.
PATIENCE = 30.0


def until(look: Callable[[], object]) -> None:
    """Wait until ``look`` finds what it looks for."""
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end, "it has not come to that in time"
        time.sleep(0.002)
