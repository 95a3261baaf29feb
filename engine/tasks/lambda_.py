"""LAMBDA: INLINE in its older form, a function's body (Conductor 3.15); the workers of INLINE carry it out."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.tasks.inline import TYPE as INLINE
from engine.tasks.step import At, HandOut, Step, TaskType


class Lambda(TaskType):
    """The result is what the body returns; without ``return`` it is null."""

    name = "LAMBDA"
    takes_template = True
    instead = "INLINE"

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Expect a body, unless a task definition's template may bring it."""
        if "scriptExpression" not in config.input_parameters and config.task_definition is None:
            yield Fault("inputParameters.scriptExpression", "write the body of a function, such as `return $.a + 1;`")

    def scripts(self, config: WorkflowTask) -> Iterator[tuple[str, str]]:
        """Yield the body, as the script it becomes."""
        body = config.input_parameters.get("scriptExpression")
        if isinstance(body, str) and not is_expression(body):
            yield "inputParameters.scriptExpression", _script(body)

    def start(self, at: At) -> Step:
        """Hand the body to the script workers."""
        body = at.task.input.get("scriptExpression")
        if not isinstance(body, str) or not body.strip():
            return HandOut(queue=INLINE.queue)
        given = {**at.task.input, "evaluatorType": "javascript", "expression": _script(body)}
        return HandOut(queue=INLINE.queue, input=given)


def _script(body: str) -> str:
    # The line break ends a comment on the body's last line.
    return f"(function () {{ {body}\n}})()"


TYPE = Lambda()
