"""INLINE: evaluates a script over the task's input (Conductor 3.15)."""

from __future__ import annotations

from typing import Any, Final

from engine.errors import BadExpression, ScriptLimitExceeded
from engine.model.payload import Json
from workers import sandbox
from workers.failure import TaskFailure, TerminalError

#: Seconds; Conductor's ``CONDUCTOR_SCRIPT_MAX_EXECUTION_SECONDS``.
TIME_LIMIT: Final = 4.0


def run(_: Any, /, **inputs: Json) -> dict[str, Json]:
    """Return ``{"result": value}``; the script sees the whole input as ``$``.

    A script that fails, or is none, would fail again: ``TerminalError``. One that ran over its limits may be retried.
    Either way the output's ``error`` holds the reason.
    """
    expression = inputs.get("expression")
    if not isinstance(expression, str) or not expression.strip():
        raise TerminalError(
            "Empty 'expression' in Inline task's input parameters. A non-empty String value must be provided."
        )
    evaluator = inputs.get("evaluatorType") or "javascript"
    try:
        value = sandbox.run("script", evaluator, expression, inputs, time_limit_seconds=TIME_LIMIT)
    except ScriptLimitExceeded as error:
        raise TaskFailure(str(error), {"error": str(error)}) from None
    except BadExpression as error:
        raise TerminalError(str(error), {"error": str(error)}) from None
    return {"result": value}
