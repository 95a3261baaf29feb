"""The script of a JOIN, which says when it has waited long enough, and how it ends (Orkes)."""

from __future__ import annotations

from typing import Final

from engine.errors import BadExpression
from engine.expression.script import is_true
from engine.model.payload import Json, JsonObject
from engine.model.status import TaskStatus
from engine.tasks.step import At, Complete, Fail, Step

#: What ``evaluatorType`` may be; left out, it is the first.
SCRIPTS: Final = ("js", "javascript", "graaljs")

_GOOD: Final = {"COMPLETED": TaskStatus.COMPLETED, "COMPLETED_WITH_ERRORS": TaskStatus.COMPLETED_WITH_ERRORS}
_BAD: Final = frozenset({"FAILED", "FAILED_WITH_TERMINAL_ERROR"})


def by_script(at: At, *, done: bool) -> Step | None:
    """Return how the script ends the JOIN, None as long as it wants to wait; once all is ``done`` it cannot.

    It sees the JOIN's input as ``$``, with ``joinOn``, and under the reference of each task its status and output. True
    completes the JOIN, and so does an object with the ``status`` COMPLETED.
    """
    evaluator, refs = at.config.evaluator_type or SCRIPTS[0], at.task.input.get("joinOn") or ()
    tasks = {ref: task for ref in refs if (task := at.latest(ref + at.suffix)) is not None}
    seen: dict[str, Json] = {
        ref: {
            "status": task.status.value,
            "outputData": task.output,
            "output": task.output,
            "reasonForIncompletion": task.reason,
            "referenceTaskName": task.ref,
        }
        for ref, task in tasks.items()
    }
    javascript = "javascript" if evaluator in SCRIPTS else evaluator
    try:
        said = at.evaluate(javascript, at.config.expression or "", {**at.task.input, **seen})
    except BadExpression as error:
        return Fail(reason=str(error), terminal=True)
    answer: JsonObject = said if isinstance(said, dict) else {"status": "COMPLETED" if is_true(said) else None}
    status, told, given = answer.get("status"), answer.get("reasonForIncompletion"), answer.get("outputData")
    output = {task.ref: task.output for task in tasks.values() if task.status.is_terminal and task.output}
    output |= given if isinstance(given, dict) else {}
    reason = None if told is None else str(told)
    if status in _GOOD:
        return Complete(output=output, status=_GOOD[status], reason=reason)
    if status in _BAD:
        return Fail(reason=reason or f"The join script ended it {status}", output=output, terminal=status != "FAILED")
    if done:
        why = f"All that it waits for has ended, and the join script still wants to wait: {reason or said!r:.500}"
        return Fail(reason=why, output=output, terminal=True)
    return None
