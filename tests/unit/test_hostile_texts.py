"""Texts made to harm whatever searches them: every pattern takes time in proportion to the text."""

from __future__ import annotations

import time

import pytest

from engine.masking import masked
from engine.tasks.wait import duration_seconds, until_instant
from engine.wire.celery_failure import read_failure


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000 + "://u:p@h",
        "://a:" * 200_000,
        "x://u:" + "@" * 500_000,
        "://" + ":" * 500_000,
        "http://x?password=" * 50_000,
        "a://b" * 200_000,
    ],
)
def test_masking_takes_its_time_once(text: str) -> None:
    began = time.process_time()
    masked(text)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("text", [" " * 100_000, " " * 150 + "x", "1" * 100_000, "1d" * 90, "1 " * 90, "\u2003" * 180])
def test_a_duration_that_is_none_is_refused_at_once(text: str) -> None:
    began = time.process_time()
    for read in (duration_seconds, until_instant):
        with pytest.raises(ValueError, match="Not valid"):
            read(text)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("zone", ["../../../etc/passwd", "/etc/localtime", "x" * 180, ".", "Europe/../Europe/Berlin"])
def test_a_time_zone_is_no_way_to_files(zone: str) -> None:
    with pytest.raises(ValueError, match="Not valid date"):
        until_instant(f"2030-01-01 10:00 {zone}")


@pytest.mark.parametrize("words", ["takes 1 ", "takes from 1 ", "missing 1 required "])
def test_the_reason_of_a_failure_is_found_at_once(words: str) -> None:
    began = time.process_time()
    failure = read_failure({"exc_type": "TypeError", "exc_message": [words * 300_000]}, '  File "\n' * 300_000)
    assert len(failure.reason) <= 500
    assert time.process_time() - began < 1
