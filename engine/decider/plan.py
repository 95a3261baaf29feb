"""What follows from a step's definition alone, worked out once and not at every task of every run."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from engine.errors import BadExpression
from engine.expression.template import Template, compile_template
from engine.model.definition import TaskDef, WorkflowTask
from engine.tasks import task_type
from engine.tasks.step import TaskType

#: For everything but SIMPLE: no retries, as in Conductor. Conductor's has no response timeout either, so a task whose
#: result got lost after its first sign of life would be open for ever: only a definition that says so can have that.
_NO_DEFINITION: Final = TaskDef(retry_count=0)

#: Steps whose plans are kept: each takes about a kilobyte, and keeps its step in memory.
_MOST: Final = 5_000


class Plan(Struct, frozen=True):
    """One step of a definition, read once."""

    step: WorkflowTask
    kind: TaskType
    #: The task definition that applies, unless the task found another one at run time (Conductor 1.3).
    definition: TaskDef
    #: What is evaluated to be the input: the parameters over the template. None where no expression can be read in it.
    parameters: Template | None
    #: The type may open lists; most do not, and are never asked for them.
    may_open: bool
    #: The type has a word to say after a worker's success.
    may_go_on: bool


def plan_of(step: WorkflowTask) -> Plan:
    """Return the plan of a step, which is looked up by the very object: runs of a definition share its steps."""
    plan = _plans.get(id(step))
    if plan is None:
        if len(_plans) >= _MOST:
            _plans.clear()
        # The plan holds its step, so that no other one can come to have the same id while it is kept.
        plan = _plans[id(step)] = _planned(step)
    return plan


_plans: Final[dict[int, Plan]] = {}


def parameters(step: WorkflowTask, definition: TaskDef) -> Template:
    """Return what is evaluated to be a step's input. Raises ``BadExpression`` when it is nested too deeply.

    Keys missing from the parameters come from the definition's template (Conductor 2.7).
    """
    template = definition.input_template if task_type(step.type).takes_template else {}
    return compile_template({**template, **step.input_parameters} if template else step.input_parameters)


def _planned(step: WorkflowTask) -> Plan:
    kind = task_type(step.type)
    definition = step.task_definition or kind.default_definition or _NO_DEFINITION
    try:
        given = parameters(step, definition)
    except BadExpression:
        given = None
    return Plan(
        step=step,
        kind=kind,
        definition=definition,
        parameters=given,
        may_open=type(kind).branches is not TaskType.branches,
        may_go_on=type(kind).worker_done is not TaskType.worker_done,
    )
