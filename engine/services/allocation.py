"""How a process that keeps much in memory takes it from the system, so that it can be given back."""

from __future__ import annotations

import ctypes
import os
from typing import Final

#: The number of glibc's setting in ``mallopt``, and the variable by which anybody may set it otherwise.
_M_MMAP_THRESHOLD: Final = -3
_VARIABLE: Final = "MALLOC_MMAP_THRESHOLD_"

#: Blocks from this size on are mapped by themselves. It is what glibc begins with; but each one that is let go makes it
#: go up, to 32 MB, and what is below it comes from a heap that only shrinks from its end.
_LARGE_BYTES: Final = 128 * 1024


def give_back_large_blocks() -> None:
    """Have every large block given back to the system as soon as it is let go, where the C library is glibc.

    The rows of a fork of 100,000 on their way to the database are tens of megabytes for a moment; they stayed with a
    decider for good, a fifth of all that it had grown by.
    """
    if _VARIABLE in os.environ:
        return
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    set_option(_M_MMAP_THRESHOLD, _LARGE_BYTES)
