"""JSON_JQ_TRANSFORM: applies a jq program to the task's input (Conductor 3.16)."""

from __future__ import annotations

from typing import Any, Final

from engine.errors import BadExpression
from engine.model.payload import Json
from workers import sandbox
from workers.failure import TaskFailure

#: Seconds; the same as for scripts.
TIME_LIMIT: Final = 4.0


def run(_: Any, /, **inputs: Json) -> dict[str, Json]:
    """Return the first result as ``result`` and all of them as ``resultList``.

    Every failure may be retried, as in Conductor; the output's ``error`` holds the reason.
    """
    program = inputs.get("queryExpression")
    if not isinstance(program, str) or not program.strip():
        reason = "Missing 'queryExpression' in input parameters"
        raise TaskFailure(reason, {"error": reason})
    try:
        results = sandbox.run("jq", program, inputs, time_limit_seconds=TIME_LIMIT)
    except BadExpression as error:
        raise TaskFailure(str(error), {"error": str(error)}) from None
    return {"result": results[0] if results else None, "resultList": results}
