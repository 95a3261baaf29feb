"""JSON_JQ_TRANSFORM: applies a jq program (Conductor 3.16); its body is ``workers/tasks/json_jq_transform.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.errors import BadExpression, Fault
from engine.expression.jq_program import check_jq, run_jq
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.model.payload import JsonObject
from engine.tasks.step import Complete, Fail, required
from engine.tasks.system import SystemTask

#: Characters of a program that is compiled while its author waits.
_LONGEST_CHECKED: Final = 10_000


class JsonJqTransform(SystemTask):
    """Runs in the script workers, in a process that can be killed."""

    name = "JSON_JQ_TRANSFORM"

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand a program."""
        template = config.task_definition.input_template if config.task_definition else {}
        given = {**template, **config.input_parameters}
        yield from required(config, "inputParameters.queryExpression", given.get("queryExpression"))

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Tell what is wrong with the program's syntax, where it is written out."""
        program = config.input_parameters.get("queryExpression")
        if isinstance(program, str) and not is_expression(program) and len(program) <= _LONGEST_CHECKED:
            complaint = check_jq(program)
            if complaint is not None:
                yield Fault("inputParameters.queryExpression", f"not a jq program, so the task will fail: {complaint}")

    def computed(self, given: JsonObject) -> Complete | Fail:
        """Run the program, in this process and without a limit."""
        try:
            results = run_jq(str(given.get("queryExpression") or "."), given)
        except BadExpression as error:
            return Fail(reason=str(error), output={"error": str(error)})
        return Complete(output={"result": results[0] if results else None, "resultList": results})


TYPE = JsonJqTransform()
