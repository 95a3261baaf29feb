"""Processes are started away from the terminal, and exactly those are ended again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy import process

FOREVER = "import signal; signal.pause()"


def started(tmp_path: Path, code: str = FOREVER, name: str = "one") -> process.Process:
    return process.start(name, [sys.executable, "-c", code], os.environ, tmp_path, cwd=tmp_path)


def test_a_started_process_is_found_again_by_its_note_and_ended(tmp_path: Path) -> None:
    one = started(tmp_path)
    assert process.noted(tmp_path) == [one]
    assert one.alive()
    process.end([one], tmp_path, seconds=10)
    assert not one.alive()
    assert process.noted(tmp_path) == []


def test_a_process_that_will_not_end_is_forced(tmp_path: Path) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    one = started(tmp_path, stubborn)
    while "deaf" not in process.last_words("one", tmp_path):
        assert one.alive()
    process.end([one], tmp_path, seconds=0.1)
    assert not one.alive()


def test_another_process_that_got_the_number_is_left_alone(tmp_path: Path) -> None:
    one = started(tmp_path)
    earlier = process.Process(one.name, one.pid, "an earlier birth")
    assert not earlier.alive()
    process.end([earlier], tmp_path, seconds=1)
    assert one.alive()
    process.end([one], tmp_path, seconds=10)


def test_the_last_words_of_a_process_are_kept(tmp_path: Path) -> None:
    one = started(tmp_path, "print('no such database')")
    while one.alive():
        pass
    assert process.last_words("one", tmp_path) == "no such database"
