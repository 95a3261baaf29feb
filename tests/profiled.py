"""Has somebody hear of every call, to count what is the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def profiled(tell: Callable[[FrameType, str, object], object]) -> Iterator[None]:
    """Tell of every call and return of this thread (``sys.setprofile``), and afterwards whoever was told before."""
    before = sys.getprofile()
    sys.setprofile(tell)
    try:
        yield
    finally:
        sys.setprofile(before)
