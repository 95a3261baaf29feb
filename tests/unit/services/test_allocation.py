"""Large blocks of memory go back to the system when they are let go, whatever lies behind them."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

#: What a process does: it makes the allocator used to blocks of 20 MB, then fills 60 MB with smaller ones, lets go of
#: them all but for a little at the end, and prints the megabytes that it has kept.
_SCRIPT = """
import psutil
from engine.services.allocation import give_back_large_blocks
{first}
used_to = bytearray(20_000_000)
del used_to
before = psutil.Process().memory_info().rss
blocks = [bytearray(b"x" * 1_000_000) for _ in range(60)]
end = bytearray(b"x" * 100_000)
del blocks
print((psutil.Process().memory_info().rss - before) // 1_000_000)
"""


def megabytes_kept(first: str) -> int:
    """Return how many megabytes a process keeps of sixty that it has let go."""
    command = [sys.executable, "-c", _SCRIPT.format(first=first)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps them")
def test_large_blocks_that_are_let_go_do_not_stay_with_the_process() -> None:
    assert megabytes_kept("give_back_large_blocks()") < 10 < megabytes_kept("")
