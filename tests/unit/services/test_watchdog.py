"""A process that computes on one batch without end ends itself; one that waits does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import time
from engine.services.watchdog import Watchdog

watchdog = Watchdog({seconds})
with watchdog.on_duty():
    for _ in range(3):
        with watchdog.watching():
            {work}
print("done")
"""

#: Seconds until a process that should have ended by itself counts as stuck.
PATIENCE = 60


def run(work: str, seconds: float = 0.5) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(work=work, seconds=seconds)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.parametrize("work", ["while True: pass", "sum(range(10 ** 13))"], ids=["in Python", "in C"])
def test_a_loop_without_end_ends_the_process_and_its_place_is_told(work: str) -> None:
    done = run(work)
    assert done.returncode == 1
    assert 'File "<string>", line 9' in done.stderr
    assert "done" not in done.stdout


def test_waiting_is_no_computing_and_each_batch_counts_anew() -> None:
    assert run("time.sleep(1.2)").stdout == "done\n"
    assert (
        run("until = time.thread_time() + 0.4\n            while time.thread_time() < until: pass").stdout == "done\n"
    )
