"""What in a definition will not work as it reads, though it can be stored: each with its JSON path.

Conductor takes such definitions, so they are stored here too; whoever registers them is told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Final

from engine.decider.listener_warnings import change_warnings, sink_warnings
from engine.decider.order import Order, Standing
from engine.errors import Fault
from engine.expression.script import check_javascript
from engine.expression.template import Reference, is_variable, references
from engine.model.definition import MOST_FAULTS, TaskDef, WorkflowDef, WorkflowTask, walk
from engine.model.payload import Json
from engine.model.unknown_fields import unknown_fields
from engine.tasks import task_type, task_types

#: Roots of expressions that are no reference names.
KNOWN_ROOTS: Final = frozenset({"workflow", "CPEWF_TASK_ID"})

#: What ``${workflow.…}`` finds, and what ``${<reference>.…}`` does.
WORKFLOW_FIELDS: Final = frozenset(
    {"input", "output", "variables", "status", "workflowId", "parentWorkflowId", "parentWorkflowTaskId"}
    | {"workflowType", "version", "correlationId", "reasonForIncompletion", "schemaVersion", "secrets", "env"}
)
TASK_FIELDS: Final = frozenset(
    {"input", "output", "taskType", "status", "referenceTaskName", "retryCount", "correlationId", "pollCount"}
    | {"taskDefName", "scheduledTime", "startTime", "endTime", "workflowInstanceId", "taskId", "iteration"}
    | {"reasonForIncompletion", "callbackAfterSeconds", "workerId"}
)

#: The first two names of a path, where both are plain.
_PLAIN: Final = re.compile(r"([^.\[\s$@]+)\.([A-Za-z_]\w*)(?![\w(])")

#: Names among which a near one is looked for; each mistyped name is compared with all of them.
_MOST_NAMES: Final = 500

#: From where a JOIN never hears.
_NEVER_JOINED: Final = {
    Standing.BEHIND: "stands behind it",
    Standing.ELSEWHERE: "stands in another case, which does not run when this one does",
    Standing.AROUND: "contains it",
    Standing.ITSELF: "is itself",
}


def workflow_warnings(
    definition: WorkflowDef, document: Json, defined: Collection[str], *, missing: bool
) -> tuple[Fault, ...]:
    """Return what will not work as it reads in a workflow definition that has no mistakes.

    ``document`` is what it was read from, for the fields that are ignored; ``defined`` are the names of those of its
    tasks that have a definition. ``missing`` warns of worker tasks that have none.
    """
    return tuple(islice(_workflow(definition, document, defined, missing), MOST_FAULTS))


def task_warnings(document: Json) -> tuple[Fault, ...]:
    """Return what will not work as it reads in a task definition that has no mistakes."""
    return tuple(islice(_ignored(TaskDef, document), MOST_FAULTS))


def near(name: str, names: Collection[str]) -> str:
    """Return a hint at the name that may be meant, empty where none is near."""
    if len(names) > _MOST_NAMES:
        return ""
    folded = name[:100].casefold()
    found = [each for each in names if each.casefold() == folded] or get_close_matches(name[:100], names, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _workflow(definition: WorkflowDef, document: Json, defined: Collection[str], missing: bool) -> Iterator[Fault]:
    yield from _ignored(WorkflowDef, document)
    yield from sink_warnings(definition)
    order = Order(definition.tasks)
    for path, step in walk(definition.tasks):
        yield from _type(path, step, defined)
        if missing:
            yield from _definition(path, step, defined)
        yield from _timeouts(f"{path}.taskDefinition", step.task_definition)
        yield from _step(path, step)
        yield from change_warnings(path, step)
    yield from _lists("tasks", definition.tasks, order)
    yield from _expressions(definition, order)


def _ignored(kind: type[WorkflowDef | TaskDef], document: Json) -> Iterator[Fault]:
    for path, meant in unknown_fields(kind, document):
        hint = f"; did you mean {meant!r}?" if meant else ""
        yield Fault(path, f"no such field is known: it is ignored{hint}")


def _type(path: str, step: WorkflowTask, defined: Collection[str]) -> Iterator[Fault]:
    """Warn of types that have a successor, and of unknown ones, unless a task definition says that they are meant."""
    if step.type in task_types():
        successor = task_type(step.type).instead
        if successor is not None:
            yield Fault(f"{path}.type", f"{step.type} is deprecated: use {successor}")
    elif step.task_definition is None and not {step.type, step.name} & set(defined):
        queue = f"workers on the queue {step.type!r} must carry it out"
        yield Fault(f"{path}.type", f"the engine has no type {step.type!r}: {queue}{near(step.type, task_types())}")


def _definition(path: str, step: WorkflowTask, defined: Collection[str]) -> Iterator[Fault]:
    default = task_type(step.type).default_definition
    if default is not None and step.task_definition is None and step.name not in defined:
        rule = f"{default.retry_count} retries, {default.retry_delay_seconds} s apart"
        yield Fault(f"{path}.name", f"no task definition {step.name!r} is registered: the defaults hold ({rule})")


def _timeouts(path: str, definition: TaskDef | None) -> Iterator[Fault]:
    """Warn of timeouts of a definition written out in a step that never ring; a registered one is refused for them."""
    if definition is None:
        return
    timeout, total, told = definition.timeout_seconds, definition.total_timeout_seconds, definition.model_fields_set
    response = definition.response_timeout_seconds
    if timeout and response > timeout and "response_timeout_seconds" in told:
        yield Fault(
            f"{path}.responseTimeoutSeconds",
            f"{response} is longer than timeoutSeconds ({timeout}), which ends it first",
        )
    if timeout and total and timeout > total:
        yield Fault(f"{path}.timeoutSeconds", f"{timeout} is longer than totalTimeoutSeconds ({total})")


def _step(path: str, step: WorkflowTask) -> Iterator[Fault]:
    kind = task_type(step.type)
    for doubt in kind.warn(step):
        yield Fault(f"{path}.{doubt.path}", doubt.removeprefix(f"{doubt.path}: "))
    if kind.refuses_scripts:
        return
    for field, source in kind.scripts(step):
        complaint = check_javascript(source)
        if complaint is not None:
            yield Fault(f"{path}.{field}", f"not valid JavaScript, so the task will fail: {complaint}")


def _lists(path: str, steps: Sequence[WorkflowTask], order: Order) -> Iterator[Fault]:
    """Warn of steps that do not go together with those before or behind them."""
    for number, step in enumerate(steps):
        following = steps[number + 1] if number + 1 < len(steps) else None
        for doubt in task_type(step.type).warn_follower(step, following):
            here = f"{path}[{number}]"
            yield Fault(f"{here}.{doubt.path}" if doubt.path else here, doubt.removeprefix(f"{doubt.path}: "))
        made = number > 0 and task_type(steps[number - 1].type).makes_refs
        if not made:
            yield from _joined(f"{path}[{number}]", step, order)
        for name, nested in step.lists():
            yield from _lists(f"{path}[{number}].{name}", nested, order)


def _joined(path: str, step: WorkflowTask, order: Order) -> Iterator[Fault]:
    for number, ref in enumerate(task_type(step.type).joins(step)):
        own, rest = step.task_reference_name, number - len(step.join_on)
        here = f"{path}.joinOn[{number}]" if rest < 0 else f"{path}.defaultExclusiveJoinTask[{rest}]"
        if ref not in order:
            yield Fault(here, f"waits for {ref!r}, but no step has this taskReferenceName{near(ref, order.refs)}")
        elif own in order and (why := _NEVER_JOINED.get(order.standing(ref, own))):
            yield Fault(here, f"waits for {ref!r}, which never runs before it: it {why}")


def _expressions(definition: WorkflowDef, order: Order) -> Iterator[Fault]:
    dynamic = any(task_type(step.type).makes_refs for _, step in walk(definition.tasks))
    for path, step in walk(definition.tasks):
        for field, value in _values(step):
            # What Conductor refuses has been refused: unknown names in the inputs of steps that stand in no other.
            refused = field == "inputParameters" and "." not in path
            for reference in references(value, f"{path}.{field}"):
                yield from _expression(reference, step.task_reference_name, order, refused or dynamic)
    for reference in references(definition.output_parameters, "outputParameters"):
        yield from _expression(reference, None, order, dynamic)


def _values(step: WorkflowTask) -> Iterator[tuple[str, Json]]:
    """Yield what of a step is evaluated; a definition written out is evaluated by the run that it becomes."""
    yield "inputParameters", step.input_parameters
    yield "sink", step.sink
    yield "items", step.items
    child = step.sub_workflow_param
    if child is not None:
        yield "subWorkflowParam.name", child.name
        yield "subWorkflowParam.taskToDomain", child.task_to_domain
        yield "subWorkflowParam.priority", child.priority
        if isinstance(child.workflow_definition, str):
            yield "subWorkflowParam.workflowDefinition", child.workflow_definition


def _expression(reference: Reference, own: str | None, order: Order, may_be_unknown: bool) -> Iterator[Fault]:
    shown, path, root = f"${{{reference.text}}}", reference.path, reference.root
    if reference.fault is not None:
        if not may_be_unknown:
            yield Fault(path, f"{shown} is null: {reference.fault}")
    elif root is None:
        return
    elif root not in KNOWN_ROOTS and root not in order and is_variable(reference.text):
        yield Fault(path, f"{shown} is null unless BATON_ENV_{root} is set: the server's environment cannot be read")
    elif root not in KNOWN_ROOTS and root not in order:
        if not may_be_unknown:
            yield Fault(path, f"{shown} is null: there is no step {root!r}{near(root, order.refs)}")
    elif own is not None and own in order and root in order and _is_too_early(root, own, order):
        yield Fault(path, f"{shown} is null: {root!r} has not run when this step begins")
    else:
        yield from _field(shown, path, reference.text)


def _is_too_early(ref: str, own: str, order: Order) -> bool:
    never = order.standing(ref, own) in (Standing.BEHIND, Standing.ELSEWHERE)
    return never and not order.in_one_loop(ref, own)


def _field(shown: str, path: str, text: str) -> Iterator[Fault]:
    found = _PLAIN.match(text)
    if found is None or found[1] == "CPEWF_TASK_ID":
        return
    known = WORKFLOW_FIELDS if found[1] == "workflow" else TASK_FIELDS
    if found[2] not in known:
        whose = "a workflow" if found[1] == "workflow" else "a task"
        yield Fault(path, f"{shown} is null: {whose} has no {found[2]!r}{near(found[2], known)}")
