"""SWITCH: chooses one of several lists of steps (Conductor 3.2)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import BadExpression, Fault
from engine.expression.script import EVALUATORS, case_key
from engine.model.definition import WorkflowTask
from engine.model.execution import Task
from engine.tasks.step import Abort, At, Branch, Complete, Fail, Open, Step, TaskType, names_input, required

_DEFAULT = "defaultCase"
_EVALUATORS = ("value-param", "javascript", "graaljs", "python")


class Switch(TaskType):
    """The row is complete as soon as the case is chosen; the flow goes on when the chosen list has ended."""

    name = "SWITCH"
    named_by_type = True
    retriable = False
    refuses_scripts = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand an evaluator, an expression and cases."""
        yield from required(config, "evaluatorType", config.evaluator_type)
        yield from required(config, "expression", config.expression)
        yield from required(config, "decisionCases", config.decision_cases)

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Name evaluators that choose nothing, and an input that is not given."""
        if config.evaluator_type == "value-param":
            yield from names_input(config, "expression", config.expression)
        if config.evaluator_type not in EVALUATORS:
            yield Fault(
                "evaluatorType", f"nothing here evaluates {config.evaluator_type!r}: use value-param or javascript"
            )

    def scripts(self, config: WorkflowTask) -> Iterator[tuple[str, str]]:
        """Yield the expression where it is JavaScript."""
        if config.evaluator_type in ("javascript", "graaljs") and config.expression:
            yield "expression", config.expression

    def start(self, at: At) -> Step:
        """Evaluate the expression and open the list of that case, or the default one where no case has the key."""
        config = at.config
        if config.evaluator_type not in _EVALUATORS:
            return Abort(reason=f"No evaluator registered for type: {config.evaluator_type}")
        try:
            result = at.evaluate(config.evaluator_type, config.expression or "", at.task.input)
        except BadExpression as error:
            return Fail(reason=str(error))
        case = case_key(result)
        steps = config.decision_cases.get(case, config.default_case)
        stored = {**at.task.input, "case": case}
        output = {"evaluationResult": [case], "selectedCase": case}
        if not steps:
            return Complete(output=output, input=stored)
        return Open(output=output, input={**stored, "hasChildren": "true"})

    def branches(self, config: WorkflowTask, task: Task) -> tuple[Branch, ...]:
        """Return the list of the case that was chosen: what the output says, because the input is the author's."""
        case = task.output.get("selectedCase")
        if case in config.decision_cases:
            branch = Branch(name=f"case {case}", steps=config.decision_cases[case])
        else:
            branch = Branch(name=_DEFAULT, steps=config.default_case)
        return (branch,) if case is not None and branch.steps else ()


TYPE = Switch()
