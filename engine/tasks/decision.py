"""DECISION: SWITCH in its older form, which Conductor keeps for old definitions (Conductor 3.2)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import BadExpression, Fault
from engine.expression.script import case_key
from engine.model.definition import WorkflowTask
from engine.model.execution import Task
from engine.model.payload import Json
from engine.tasks.step import Abort, At, Branch, Complete, Open, Step, TaskType, names_input, required


class Decision(TaskType):
    """Chooses by a script, else by the input that ``caseValueParam`` names; an empty case means the default one."""

    name = "DECISION"
    named_by_type = True
    retriable = False
    refuses_scripts = True
    instead = "SWITCH"

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand a script or the name of an input, and cases."""
        yield from required(
            config, "caseValueParam or caseExpression", config.case_value_param or config.case_expression
        )
        yield from required(config, "decisionCases", config.decision_cases)

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Name an input that is read and not given."""
        if not config.case_expression:
            yield from names_input(config, "caseValueParam", config.case_value_param)

    def scripts(self, config: WorkflowTask) -> Iterator[tuple[str, str]]:
        """Yield the script, if there is one."""
        if config.case_expression:
            yield "caseExpression", config.case_expression

    def start(self, at: At) -> Step:
        """Open the list of the case; the row keeps nothing of its input but what was chosen, as Conductor's does."""
        try:
            case = case_key(_selector(at))
        except BadExpression as error:
            return Abort(reason=str(error))
        output = {"caseOutput": [case]}
        if not _steps(at.config, case):
            return Complete(output=output, input={"case": case})
        return Open(output=output, input={"case": case, "hasChildren": "true"})

    def branches(self, config: WorkflowTask, task: Task) -> tuple[Branch, ...]:
        """Return the list of the case that was chosen."""
        chosen = task.output.get("caseOutput")
        if not chosen:
            return ()
        case = chosen[0]
        name = f"case {case}" if config.decision_cases.get(case) else "defaultCase"
        steps = _steps(config, case)
        return (Branch(name=name, steps=steps),) if steps else ()


def _selector(at: At) -> Json:
    config = at.config
    if not config.case_expression:
        return at.task.input.get(config.case_value_param or "")
    return at.evaluate("javascript", config.case_expression, at.task.input)


def _steps(config: WorkflowTask, case: str) -> tuple[WorkflowTask, ...]:
    return config.decision_cases.get(case) or config.default_case


TYPE = Decision()
