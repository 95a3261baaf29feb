"""What follows from a step's definition alone, worked out once and not at every task of every run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from engine.errors import BadExpression
from engine.expression.template import Template, compile_template
from engine.model.definition import TaskDef, WorkflowTask
from engine.model.execution import Task
from engine.model.limit import limits
from engine.tasks import task_type
from engine.tasks.step import TaskType

#: For everything but SIMPLE: no retries, as in Conductor. Conductor's has no response timeout either, so a task whose
#: result got lost after its first sign of life would be open for ever: only a definition that says so can have that.
_NO_DEFINITION: Final = TaskDef(retry_count=0)

#: Steps whose plans are kept: a plan takes two hundred bytes, and keeps its step in memory, one to two thousand.
_MOST: Final = 5_000


class Plan(Struct, frozen=True, eq=False, gc=False):
    """One step of a definition, read once."""

    step: WorkflowTask
    kind: TaskType
    #: Conductor's taskDefName: the type for forks, joins and switches, else the step's own name.
    name: str
    #: The task definition that applies, unless a task has found another one at run time.
    definition: TaskDef
    #: What is evaluated to be the input: the parameters over the template. None where no expression can be read in it.
    parameters: Template | None
    #: Its type may open lists of steps: the flow goes on in them, and the task may hold until they have ended.
    opens_lists: bool
    #: Its type may wait for other tasks.
    awaits_tasks: bool
    #: Its type has a word to say about a worker's success: that it is outdated, or not the end.
    heeds_success: bool
    #: A worker's success leaves it open, for somebody else to end.
    is_completed_later: bool
    #: Somebody is to be told of changes.
    is_told: bool
    #: Its result is kept for later tasks of the same key.
    is_cached: bool
    #: Its definition limits how many tasks go out; what is registered now comes before that.
    is_limited: bool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.step == other.step

    def definition_of(self, task: Task) -> TaskDef:
        """Return the task definition that applies to a task of this step (Conductor 1.3).

        The one in the run's snapshot; for a task whose name was only found at run time the one found then; else the
        type's own, which for all but SIMPLE means no retries.
        """
        return self.definition if task.own_definition is None else TaskDef.model_validate(task.own_definition)


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


def _named(definition: TaskDef | None, name: str) -> TaskDef | None:
    return None if definition is None else definition.model_copy(update={"name": name})


def _planned(step: WorkflowTask) -> Plan:
    kind = task_type(step.type)
    definition = step.task_definition or _named(kind.default_definition, step.name) or _NO_DEFINITION
    try:
        given = parameters(step, definition)
    except BadExpression:
        given = None
    return Plan(
        step=step,
        kind=kind,
        name=kind.shown_as or kind.name if kind.named_by_type else step.name,
        definition=definition,
        parameters=given,
        opens_lists=says(kind, TaskType.branches),
        awaits_tasks=says(kind, TaskType.awaits),
        heeds_success=says(kind, TaskType.worker_done) or says(kind, TaskType.is_outdated),
        is_completed_later=step.async_complete and kind.may_complete_later,
        is_told=bool(step.on_state_change),
        is_cached=step.cache_config is not None and step.cache_config.ttl_in_second > 0,
        is_limited=limits(definition),
    )


def says(kind: TaskType, default: Callable[..., object]) -> bool:
    """True when a type has an answer of its own to a question, in place of the default."""
    return getattr(type(kind), default.__name__) is not default
