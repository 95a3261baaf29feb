"""JavaScript in definitions: evaluated apart from everything, within limits of time and memory.

Each script gets an interpreter of its own, which costs about two thirds of a millisecond: nothing that it does to
globals or prototypes can reach the next one. Conditions that only read (``condition_syntax``) cannot do anything of
that kind; they share interpreters and cost some hundredths of a millisecond. There are no files, no network, no
modules, no ``console``, no ``eval`` and no big integers. Input is made of ordinary objects and lists (in Conductor,
``Object.keys`` of one lists Java methods); integers beyond 2^53 lose digits.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NoReturn

import quickjs

from engine.errors import BadExpression, ScriptLimitExceeded
from engine.expression.budget import Budget, weigh
from engine.expression.condition_syntax import CONDITION_NAMES, only_reads
from engine.expression.java_text import java_text
from engine.expression.sandbox import RUN
from engine.model.payload import Json

#: Seconds and bytes for a check of syntax, which runs nothing.
_CHECK_SECONDS: Final = 1.0
_CHECK_BYTES: Final = 64 * 1024 * 1024

#: Bytes of C stack for the interpreter; well below the 8 MB of a thread, and enough for some thousand nested calls.
_STACK_BYTES: Final = 512 * 1024

#: Characters; parsing is not interrupted, so a longer script is refused.
LONGEST_SCRIPT: Final = 100_000

#: Bytes of the interpreter's memory for each character of its input, which it has as text and as objects.
_MEMORY_PER_CHARACTER: Final = 8

#: What ``evaluate`` offers.
EVALUATORS: Final = frozenset({"value-param", "javascript", "graaljs"})

#: What evaluating costs, in steps of a budget: a condition that only reads takes as long as it is expected to; a script
#: may take all its time, and is counted for a fifth of it.
_CONDITION_STEPS: Final = 1_000
_SCRIPT_STEPS: Final = 100_000
_CHARACTERS_PER_STEP: Final = 10

#: Interpreters that have run nothing but conditions and are free; taking and giving back are atomic, so two threads
#: never hold the same one.
_idle: Final[deque[tuple[quickjs.Context, quickjs.Object]]] = deque(maxlen=8)

_BIG_INTEGER: Final = re.compile(r"(?<![\w$])(?:0[xX][\da-fA-F_]+|0[oObB][0-7_]+|\d[\d_]*)n\b")
_LINE: Final = re.compile(r"<input>:(\d+)")
_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_LONGEST_MESSAGE: Final = 2_000


def evaluate_javascript(
    source: str,
    bindings: Mapping[str, Json],
    *,
    time_limit_seconds: float,
    memory_limit_bytes: int,
    budget: Budget | None = None,
) -> Json:
    """Return the value of the script's last expression as JSON; ``bindings`` are its global names, ``$`` among them.

    Whole doubles come back as integers, ``undefined`` as null, ``NaN`` and ``Infinity`` as those words, functions,
    symbols, dates, sets, maps and promises as ``{}`` (Conductor 3.0); lone surrogates as U+FFFD.

    Time is CPU time of the whole process, so it runs faster where other threads work. It is looked at every ten
    thousand steps: a script made to waste it can overrun some times over, so one from strangers belongs in a process
    that can be killed. Memory excludes what the result takes in Python. ``bindings`` may have as many characters as an
    eighth of the memory has bytes. What is to be expected of the costs is counted in ``budget``.

    Raises ``ScriptLimitExceeded`` for time, memory or call depth, ``BadExpression`` for syntax errors, exceptions (with
    the line) and results that are no JSON.
    """
    weight = weigh(bindings, memory_limit_bytes // _MEMORY_PER_CHARACTER)
    if budget is not None:
        budget.steps += weight // _CHARACTERS_PER_STEP + (_CONDITION_STEPS if only_reads(source) else _SCRIPT_STEPS)
    if weight > memory_limit_bytes // _MEMORY_PER_CHARACTER:
        raise ScriptLimitExceeded(
            f"The input of a script has more than {memory_limit_bytes // _MEMORY_PER_CHARACTER:,} characters, which "
            "do not fit into its memory: pass it only what it looks at."
        )
    return _run(source, bindings, time_limit_seconds, memory_limit_bytes, only_check=False)


def check_javascript(source: str) -> str | None:
    """Return what is wrong with the script's syntax, with its line, or ``None``; nothing of it is run."""
    try:
        _run(source, {}, _CHECK_SECONDS, _CHECK_BYTES, only_check=True)
    except BadExpression as fault:
        return str(fault)
    return None


def evaluate(
    evaluator_type: str,
    expression: str,
    given: Mapping[str, Json],
    *,
    time_limit_seconds: float,
    memory_limit_bytes: int,
    names: Mapping[str, Json] = MappingProxyType({}),
    budget: Budget | None = None,
) -> Json:
    """Return what an evaluator makes of ``expression`` with the task's input ``given`` (Conductor 3.0).

    Scripts see ``given`` as ``$``, and ``names`` beside it. ``value-param`` takes the input of that name, null if there
    is none; ``javascript`` and ``graaljs`` are the same.
    Raises ``BadExpression`` for a faulty script and for evaluators that are not offered.
    """
    match evaluator_type:
        case "value-param":
            return given.get(expression)
        case "javascript" | "graaljs":
            return evaluate_javascript(
                expression,
                {"$": given, **names},
                time_limit_seconds=time_limit_seconds,
                memory_limit_bytes=memory_limit_bytes,
                budget=budget,
            )
        case "python":
            raise BadExpression(
                "The evaluator 'python' is not offered: write the expression in 'javascript', "
                "or do the work in a SIMPLE task carried out by a Python worker."
            )
        case _:
            raise BadExpression(f"No evaluator registered for type: {evaluator_type}")


def is_true(value: Json) -> bool:
    """Return whether a condition holds: true itself, or a number above zero; texts and lists never (Conductor 3.0)."""
    if isinstance(value, bool):
        return value
    return isinstance(value, int | float) and value > 0


def case_key(value: Json) -> str:
    """Return the key of ``decisionCases`` that ``value`` selects: ``1.0``, ``true``, ``null``, ``[a]`` (3.2)."""
    try:
        return java_text(value)
    except RecursionError:
        raise BadExpression("The value that selects a case is nested too deeply.") from None


def _run(source: str, bindings: Mapping[str, Json], seconds: float, memory: int, *, only_check: bool) -> Json:
    if len(source) > LONGEST_SCRIPT:
        raise BadExpression(f"The script has {len(source)} characters; at most {LONGEST_SCRIPT} are read.")
    if found := _BIG_INTEGER.search(source):
        raise _script_error(f"SyntaxError: big integers such as {found.group()[:20]} are not offered", None)
    given = _json(bindings)
    shared = bindings.keys() <= CONDITION_NAMES and only_reads(source)
    context, run = _interpreter(shared=shared)
    context.set_memory_limit(memory)
    context.set_time_limit(seconds)
    try:
        answer = run(json.dumps(source), given, only_check)
    except quickjs.JSException as stopped:
        # The driver catches everything but an interruption, which no JavaScript can; or it had no memory left for that.
        _exceeded("time" if "interrupted" in str(stopped) else "memory", seconds, memory)
    if shared and answer[0] != "l":
        _idle.append((context, run))
    if answer[0] == "v":
        return None if only_check else _result(answer[1:])
    if answer[0] == "l":
        _exceeded(answer[1:], seconds, memory)
    message, stack = json.loads(answer[1:])
    raise _script_error(message, _line(stack))


def _interpreter(*, shared: bool) -> tuple[quickjs.Context, quickjs.Object]:
    """Return an interpreter, with the function that runs a script in it; a used one only where it is ``shared``."""
    if shared:
        try:
            return _idle.pop()
        except IndexError:
            pass
    context = quickjs.Context()
    context.set_max_stack_size(_STACK_BYTES)
    return context, context.eval(RUN)


def _json(bindings: Mapping[str, Json]) -> str:
    try:
        return json.dumps({name: _plain(value) for name, value in bindings.items()}, allow_nan=False, default=_plain)
    except (ValueError, TypeError, RecursionError) as fault:
        raise BadExpression(f"The input of a script cannot be written as JSON: {fault}") from None


def _plain(value: Json) -> Json:
    """Let read-only maps stand where ``json`` wants a dictionary."""
    return dict(value) if isinstance(value, Mapping) else value


def _result(text: str) -> Json:
    try:
        result = json.loads(text)["result"]
        return _well_formed(result) if "\\ud" in text else result
    except (ValueError, RecursionError):
        raise BadExpression("The result of a script is nested too deeply or holds a number too long.") from None


def _well_formed(value: Json) -> Json:
    """Replace lone surrogates, which neither a database nor a message can hold."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    return [_well_formed(item) for item in value] if isinstance(value, list) else value


def _exceeded(limit: str, seconds: float, memory: int) -> NoReturn:
    match limit:
        case "time":
            raise ScriptLimitExceeded(f"Script not evaluated within {seconds:g} seconds, interrupted.")
        case "memory":
            raise ScriptLimitExceeded(f"Script needs more than {memory:,} bytes of memory, interrupted.")
        case "stack":
            raise ScriptLimitExceeded("Script calls itself too deeply, interrupted.")
        case _:
            raise ScriptLimitExceeded(
                "Script works on a list or text too long to be bounded in time (a million elements), interrupted."
            )


def _script_error(message: str, line: int | None) -> BadExpression:
    """Return the error in Conductor's words, which tools read."""
    where = "" if line is None else f" at line {line}"
    return BadExpression(f"Error evaluating the script `{_well_formed(message[:_LONGEST_MESSAGE])}`{where}")


def _line(stack: str) -> int | None:
    """Return the line of the script where it went wrong: the innermost, and none of those that surround it."""
    lines = (int(found.group(1)) for found in _LINE.finditer(stack))
    return next((line - 1 for line in lines if line > 1), None)
