"""HTTP_POLL: one call of a web service, and whether its answer is the one that is waited for (Orkes)."""

from __future__ import annotations

from typing import Any, Final

from engine.errors import BadExpression, ScriptLimitExceeded
from engine.model.payload import Json
from workers import sandbox
from workers.failure import TaskFailure, TerminalError
from workers.tasks import http

#: Seconds for the condition; as long as INLINE has.
_TIME_LIMIT: Final = 4.0


def run(task: Any, /, **inputs: Json) -> dict[str, Json]:
    """Return HTTP's output with what the condition came to; the engine decides whether to ask again, and when.

    The condition sees the answer as ``$.output`` and the task's input as ``$.input``. A call that fails is a failure
    here too.
    """
    given = inputs.get("http_request")
    request = given if isinstance(given, dict) else inputs
    condition = request.get("terminationCondition")
    if not isinstance(condition, str) or not condition.strip():
        raise TerminalError("Missing terminationCondition: the task does not say which answer it waits for")
    output = http.run(task, **inputs)
    try:
        held = sandbox.run(
            "script", "javascript", condition, {"output": output, "input": inputs}, time_limit_seconds=_TIME_LIMIT
        )
    except ScriptLimitExceeded as error:
        raise TaskFailure(str(error), output) from None
    except BadExpression as error:
        raise TerminalError(str(error), output) from None
    return {**output, "condition": held, "call": getattr(task.request, "calls", 0) if task is not None else 0}
