"""jq programs, run by libjq without sight of the process: no environment, no files, no further input."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import jq

from engine.errors import BadExpression
from engine.model.payload import Json

#: Definitions put before every program, on a line of their own. They hide what reaches beyond the program's input;
#: standing first, they also make ``import`` and ``include`` (which read files) syntax errors.
_FENCE: Final = (
    'def env: error("env is not available"); '
    'def input: error("input is not available"); '
    "def inputs: empty; "
    "def input_filename: null; "
    'def modulemeta: error("modulemeta is not available"); '
    "def get_search_list: []; "
    "def debug: .; def debug(message): .; def stderr: .; "
    'def halt: error("halt is not available"); '
    'def halt_error: error("halt_error is not available"); '
    'def halt_error(code): error("halt_error is not available"); '
    "{} as $ENV |\n"
)

_LINE: Final = re.compile(r"\bline (\d+)")

#: Programs kept compiled; each holds a jq machine of some hundred kilobytes once it has run.
_CACHED_PROGRAMS: Final = 128

#: Characters; what is longer is refused.
LONGEST_PROGRAM: Final = 100_000


def run_jq(program: str, value: Json) -> list[Json]:
    """Return all results of ``program`` for ``value``; whole numbers come back as integers.

    There is no limit of time or memory: run it where the process can be killed. Numbers are doubles, so integers
    beyond 2^53 lose digits in arithmetic; ``nan`` gives null, ``infinite`` the greatest double.
    Raises ``BadExpression`` with the library's message when the program cannot be read or fails.
    """
    if len(program) > LONGEST_PROGRAM:
        raise BadExpression(f"The jq program has {len(program)} characters; at most {LONGEST_PROGRAM} are read.")
    try:
        return list(_compile(program if program.strip() else ".").input_value(value).all())
    except (ValueError, TypeError) as fault:
        raise BadExpression(f"The jq program {_shortened(program)!r} failed: {_own_lines(str(fault))}") from None
    except RecursionError:
        raise BadExpression("The input or the result of a jq program is nested too deeply.") from None


def check_jq(program: str) -> str | None:
    """Return what is wrong with the program's syntax, or ``None``."""
    try:
        _compile(program if program.strip() else ".")
    except ValueError as fault:
        return _own_lines(str(fault))
    return None


@lru_cache(maxsize=_CACHED_PROGRAMS)
def _compile(program: str) -> jq._Program:
    return jq.compile(_FENCE + program)


def _own_lines(message: str) -> str:
    """Count lines as the author of the program does, without the fence."""
    return _LINE.sub(lambda found: f"line {max(int(found.group(1)) - 1, 1)}", message)


def _shortened(program: str) -> str:
    return program if len(program) <= 200 else program[:200] + "…"
