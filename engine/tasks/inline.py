"""INLINE: evaluates a script (Conductor 3.15); its body is ``workers/tasks/inline.py``."""

from __future__ import annotations

from collections.abc import Iterator

from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.tasks.system import SystemTask


class Inline(SystemTask):
    """Runs in the script workers, in a process that can be killed."""

    name = "INLINE"

    def scripts(self, config: WorkflowTask) -> Iterator[tuple[str, str]]:
        """Yield the expression where it is a JavaScript text without ``${…}`` in it."""
        source = config.input_parameters.get("expression")
        evaluator = config.input_parameters.get("evaluatorType", "javascript")
        if isinstance(source, str) and evaluator in ("javascript", "graaljs") and not is_expression(source):
            yield "inputParameters.expression", source


TYPE = Inline()
