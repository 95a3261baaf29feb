"""INLINE: evaluates a script (Conductor 3.15); its body is ``workers/tasks/inline.py``."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import BadExpression, Fault
from engine.expression.script import EVALUATORS, evaluate
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.model.payload import JsonObject
from engine.tasks.step import Complete, Fail
from engine.tasks.system import SystemTask

#: What a script may take in a rehearsal.
_REHEARSED_SECONDS = 1.0
_REHEARSED_BYTES = 64 * 1024 * 1024


class Inline(SystemTask):
    """Runs in the script workers, in a process that can be killed."""

    name = "INLINE"

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Name evaluators that are not offered, and a script that stands beside the inputs, where Conductor's does."""
        if config.expression and "expression" not in config.input_parameters:
            yield Fault("expression", "an INLINE reads inputParameters.expression, not this")
        evaluator = config.input_parameters.get("evaluatorType", "javascript")
        if isinstance(evaluator, str) and evaluator not in EVALUATORS and not is_expression(evaluator):
            yield Fault(
                "inputParameters.evaluatorType", f"nothing here evaluates {evaluator!r}: use javascript, or a worker"
            )

    def scripts(self, config: WorkflowTask) -> Iterator[tuple[str, str]]:
        """Yield the expression where it is a JavaScript text without ``${…}`` in it."""
        source = config.input_parameters.get("expression")
        evaluator = config.input_parameters.get("evaluatorType", "javascript")
        if isinstance(source, str) and evaluator in ("javascript", "graaljs") and not is_expression(source):
            yield "inputParameters.expression", source

    def computed(self, given: JsonObject) -> Complete | Fail:
        """Evaluate the script, in this process and with less time than the body has."""
        try:
            result = evaluate(
                str(given.get("evaluatorType") or "javascript"),
                str(given.get("expression") or ""),
                given,
                time_limit_seconds=_REHEARSED_SECONDS,
                memory_limit_bytes=_REHEARSED_BYTES,
            )
        except BadExpression as error:
            return Fail(reason=str(error), output={"error": str(error)}, terminal=True)
        return Complete(output={"result": result})


TYPE = Inline()
