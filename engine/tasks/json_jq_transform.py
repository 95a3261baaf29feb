"""JSON_JQ_TRANSFORM: applies a jq program (Conductor 3.16); its body is ``workers/tasks/json_jq_transform.py``."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import BadExpression, Fault
from engine.expression.jq_program import run_jq
from engine.model.definition import WorkflowTask
from engine.model.payload import JsonObject
from engine.tasks.step import Complete, Fail, required
from engine.tasks.system import SystemTask


class JsonJqTransform(SystemTask):
    """Runs in the script workers, in a process that can be killed."""

    name = "JSON_JQ_TRANSFORM"

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand a program."""
        template = config.task_definition.input_template if config.task_definition else {}
        given = {**template, **config.input_parameters}
        yield from required(config, "inputParameters.queryExpression", given.get("queryExpression"))

    def computed(self, given: JsonObject) -> Complete | Fail:
        """Run the program, in this process and without a limit."""
        try:
            results = run_jq(str(given.get("queryExpression") or "."), given)
        except BadExpression as error:
            return Fail(reason=str(error), output={"error": str(error)})
        return Complete(output={"result": results[0] if results else None, "resultList": results})


TYPE = JsonJqTransform()
