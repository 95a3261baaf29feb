"""Tells stories with the engine in the working directory until one fails, and says which: ``trial MOST_SEEDS``."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

import msgspec
from msgspec import Struct

from tests.simulation.directed import DIRECTED, story_of
from tests.simulation.rules import Rule
from tests.simulation.story import tell

#: Seconds of computing after which a story that should take some hundredths of one never ends.
_MOST_SECONDS = 20
#: Stories of chance that are told before the directed ones.
_FIRST = 20


class Catch(Struct):
    """The first story that failed, if any did."""

    told: int
    seed: int | None = None
    rule: str = ""
    fault: str = ""


class _TooLong(BaseException):
    """Raised out of a story that does not end; no handler of the engine may catch it."""


def _too_long(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _TooLong


def catch(most: int) -> Catch:
    """Tell stories until one fails: some of chance, which notice most mutations, the directed ones, then all others."""
    signal.signal(signal.SIGPROF, _too_long)
    first = min(_FIRST, most)
    for told, seed in enumerate((*range(first), *range(-1, -DIRECTED - 1, -1), *range(first, most)), 1):
        signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)
        try:
            verdict = tell(story_of(seed))
        except _TooLong:
            return Catch(told, seed, Rule.END.value, f"the story still went on after {_MOST_SECONDS} s")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        if verdict.fault is not None:
            return Catch(told, seed, verdict.rule or "", verdict.fault)
    return Catch(DIRECTED + most)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(catch(int(sys.argv[1]))))
