"""A failed Celery task in words: why it failed, whether trying again can help, and what it leaves as output."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from engine.model.payload import Json, JsonObject
from engine.wire.celery_values import plain, storable_text

#: Characters; Conductor keeps as many of a worker's reason.
MAX_REASON: Final = 500
#: Characters of the traceback that are kept, from its end: where the mistake is.
MAX_TRACEBACK: Final = 4_000

#: Characters of a traceback and of a message that are looked at at all; both may be as long as a worker likes.
_LONGEST_TRACE: Final = 100_000
_LONGEST_SENTENCE: Final = 2_000

#: What Python says when a function is called with the wrong arguments.
_WRONG_ARGUMENTS: Final = re.compile(
    r"got an unexpected keyword argument|missing \d+ required |takes (from )?\d+.* positional argument"
    r"|got multiple values for|got some positional-only arguments"
)
_FRAME: Final = re.compile(r'^  File "([^"]+)", line \d+', re.MULTILINE)
_IN_CELERY: Final = re.compile(r"[/\\]celery[/\\]app[/\\]\w+\.py$")

#: Exceptions whose own text is a bare name or number.
_EXPLAINED: Final = {
    "NotRegistered": "a worker on this queue has no task named {}: give the task that name, or stop that worker",
    "TimeLimitExceeded": "the task was killed at its hard time limit of {} seconds",
    "SoftTimeLimitExceeded": "the task ran into its soft time limit",
}


class Failure(Struct, frozen=True, kw_only=True):
    """Why a task failed; ``message`` is the exception's own text, ``reason`` names its type as well."""

    reason: str
    message: str = ""
    terminal: bool = False
    output: JsonObject = {}


def read_failure(error: Json, traceback: str | None) -> Failure:
    """Return what Celery's ``{exc_type, exc_message, exc_module}`` says, whatever state it is in.

    Terminal, so that no retry follows: ``TerminalError``, ``NotRegistered``, and a TypeError about the task's own
    arguments (one raised deeper inside the task is an ordinary failure). ``TaskFailure`` and ``TerminalError`` carry
    ``[reason, output, terminal]``. For other exceptions the output holds the end of the ``traceback``: whoever looks
    at a failed run needs it, and it has no place in a reason.
    """
    if not isinstance(error, dict):
        return Failure(reason=_cut(storable_text(str(error))) if error else "The task failed without saying why")
    kind = storable_text(str(error.get("exc_type") or "Exception"))
    arguments = _arguments(error.get("exc_message"))
    name = kind.rpartition(".")[2]
    if name in ("TaskFailure", "TerminalError"):
        return _deliberate(name, arguments)
    trace = storable_text(traceback[-_LONGEST_TRACE:]) if traceback else ""
    if name == "UnpickleableExceptionWrapper" and len(arguments) > 1:
        name, arguments = str(arguments[1]), _arguments(arguments[2] if len(arguments) > 2 else None)
    message = _message(name, arguments, trace)
    return Failure(
        reason=_cut(f"{name}: {message}" if message else name),
        message=message,
        terminal=name == "NotRegistered" or (name == "TypeError" and _about_arguments(message, trace)),
        output={"traceback": trace[-MAX_TRACEBACK:]} if trace else {},
    )


def _deliberate(name: str, arguments: list[Json]) -> Failure:
    """Return the failure that a task raised on purpose: nobody wants its traceback."""
    reason = str(arguments[0]) if arguments else ""
    output = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], dict) else {}
    terminal = name == "TerminalError" or (len(arguments) > 2 and arguments[2] is True)
    return Failure(reason=_cut(reason or name), message=reason, terminal=terminal, output=output)


def _arguments(message: Json) -> list[Json]:
    """Return the exception's arguments: a list, or in older workers one text."""
    cleaned = plain(message)
    return cleaned if isinstance(cleaned, list) else [] if cleaned is None else [cleaned]


def _message(name: str, arguments: list[Json], trace: str) -> str:
    """Return the exception's text: as Python printed it where the traceback has it, else made of its arguments."""
    if name in _EXPLAINED:
        return _EXPLAINED[name].format(arguments[0] if arguments else "some")
    last = trace.rstrip().rpartition("\n")[2]
    printed, colon, text = last.partition(": ")
    if colon and printed.rpartition(".")[2] == name:
        return text
    if name == "Reject":
        arguments = arguments[:1]
    return ", ".join(str(argument) for argument in arguments if argument is not None)


def _about_arguments(message: str, trace: str) -> bool:
    """Tell a call of the task with the wrong arguments from a TypeError inside the task."""
    frames = _FRAME.findall(trace)
    return bool(_WRONG_ARGUMENTS.search(message[:_LONGEST_SENTENCE])) and (
        not frames or bool(_IN_CELERY.search(frames[-1]))
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"
