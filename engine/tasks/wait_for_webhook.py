"""WAIT_FOR_WEBHOOK: waits until an event comes in that has what its ``matches`` say (Orkes)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.errors import BadExpression, Fault
from engine.expression.jsonpath import compile_path
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.model.payload import Json
from engine.tasks.step import At, Fail, Hold, Step, TaskType


class WaitForWebhook(TaskType):
    """``matches`` are paths into the event with the value that each must find; the event's payload is the output."""

    name = "WAIT_FOR_WEBHOOK"
    takes_signal = True
    awaits_events = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand at least one match, by a path that can be read."""
        matches = config.input_parameters.get("matches")
        if is_expression(matches):
            return
        for path, fault in _faults(matches):
            yield Fault(f"inputParameters.matches{path}", fault)

    def start(self, at: At) -> Step:
        """Wait for an event that has the values of the matches as they are now."""
        matches = at.task.input.get("matches")
        for path, fault in _faults(matches):
            return Fail(reason=f"matches{path}: {fault}", terminal=True)
        return Hold(awaits=matches)


def _faults(matches: Json) -> Iterator[tuple[str, str]]:
    if not isinstance(matches, Mapping) or not matches:
        yield "", "name at least one path with its value, as in {\"$['event']['type']\": \"message\"}"
        return
    for path in matches:
        try:
            compile_path(path)
        except BadExpression as error:
            yield f".{path[:100]}", str(error)


TYPE = WaitForWebhook()
