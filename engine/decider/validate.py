"""Everything that is wrong with a definition, at once, each mistake with its JSON path (Conductor 1.1, 1.3, 3.0)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from engine.decider.schema import schema_faults
from engine.errors import BadDefinition, Fault
from engine.expression.condition_syntax import only_reads
from engine.expression.script import check_javascript
from engine.expression.template import references
from engine.model.definition import MOST_FAULTS, TaskDef, WorkflowDef, WorkflowTask, read, walk
from engine.model.payload import Json
from engine.tasks import task_type

#: Characters of a name. Names are keys of indexes in the database and, with a domain before it, names of queues.
_LONGEST_NAME = 250

#: Scripts of one definition that do more than read; each costs a millisecond to check.
_MOST_SCRIPTS = 500

#: Roots of expressions that are no reference names.
_KNOWN_ROOTS = frozenset({"workflow", "CPEWF_TASK_ID"})


def check_workflow(document: Json) -> WorkflowDef:
    """Read a workflow definition; raises ``BadDefinition`` with every mistake in it."""
    subject = f"Workflow definition {_name_of(document)}"
    definition, shape = read(WorkflowDef, document, subject)
    faults = [*shape, *islice(_unless_shown(shape, _workflow_faults(definition)), MOST_FAULTS)]
    if faults:
        raise BadDefinition(subject, faults)
    return definition


def check_task(document: Json) -> TaskDef:
    """Read a task definition; raises ``BadDefinition`` with every mistake in it."""
    subject = f"Task definition {_name_of(document)}"
    definition, shape = read(TaskDef, document, subject)
    faults = [*shape, *_unless_shown(shape, _task_faults(definition))]
    if faults:
        raise BadDefinition(subject, faults)
    return definition


def _name_of(document: Json) -> str:
    name = document.get("name") if isinstance(document, dict) else None
    return repr(name[:_LONGEST_NAME] if isinstance(name, str) else None)


def _unless_shown(shape: Sequence[Fault], found: Iterator[Fault]) -> Iterator[Fault]:
    """Leave out what only follows from a mistake of shape at the same place or above."""
    shown = [fault.path for fault in shape]
    return (fault for fault in found if not any(fault.path.startswith(path) for path in shown))


def _task_faults(definition: TaskDef) -> Iterator[Fault]:
    if not definition.name:
        yield Fault("name", "a task definition needs a name")
    yield from _name_faults("name", definition.name)
    yield from schema_faults(definition)
    timeout, response, total = (
        definition.timeout_seconds,
        definition.response_timeout_seconds,
        definition.total_timeout_seconds,
    )
    if timeout and response > timeout:
        yield Fault("responseTimeoutSeconds", f"{response} must not be longer than timeoutSeconds ({timeout})")
    if timeout and total and timeout > total:
        yield Fault("timeoutSeconds", f"{timeout} must not be longer than totalTimeoutSeconds ({total})")


def _workflow_faults(definition: WorkflowDef) -> Iterator[Fault]:
    if not definition.name.strip():
        yield Fault("name", "a workflow needs a name")
    if definition.schema_version != 2:
        yield Fault("schemaVersion", f"must be 2, not {definition.schema_version}")
    if not definition.tasks:
        yield Fault("tasks", "a workflow needs at least one task")
    yield from _names(definition)
    yield from _name_faults("name", definition.name)
    yield from schema_faults(definition)
    scripts = 0
    for path, step in walk(definition.tasks):
        yield from _step_faults(path, step)
        scripts += sum(not only_reads(source) for _, source in task_type(step.type).scripts(step))
        if scripts > _MOST_SCRIPTS:
            yield Fault(path, f"this is script number {scripts}: a definition may have {_MOST_SCRIPTS}")
            return
    yield from _places("tasks", definition.tasks)
    yield from _expressions(definition)


def _names(definition: WorkflowDef) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for path, step in walk(definition.tasks):
        if not step.name:
            yield Fault(f"{path}.name", "a task needs a name")
        ref = step.task_reference_name
        yield from _name_faults(f"{path}.name", step.name)
        yield from _name_faults(f"{path}.taskReferenceName", ref)
        if not ref:
            yield Fault(f"{path}.taskReferenceName", "a task needs a taskReferenceName")
        elif ref in seen:
            yield Fault(f"{path}.taskReferenceName", f"{ref!r} is already used at {seen[ref]}: it must be unique")
        else:
            seen[ref] = path


def _name_faults(path: str, name: str) -> Iterator[Fault]:
    """Refuse what neither databases nor queues can carry, and what would write to the terminals that show it."""
    if len(name) > _LONGEST_NAME:
        yield Fault(path, f"has {len(name):,} characters, a name may have {_LONGEST_NAME}")
    elif not name.isprintable():
        strange = next(character for character in name if not character.isprintable())
        yield Fault(path, f"contains the character {strange!r}, which no name may have")


def _step_faults(path: str, step: WorkflowTask) -> Iterator[Fault]:
    kind = task_type(step.type)
    for fault in kind.check(step):
        yield Fault(f"{path}.{fault.path}", fault.removeprefix(f"{fault.path}: "))
    for field, source in kind.scripts(step):
        complaint = check_javascript(source)
        if complaint is not None:
            yield Fault(f"{path}.{field}", f"not valid JavaScript: {complaint}")
    if step.task_definition is not None:
        for fault in _task_faults(step.task_definition):
            if fault.path != "name":
                yield Fault(f"{path}.taskDefinition.{fault.path}", fault.removeprefix(f"{fault.path}: "))


def _places(path: str, steps: Sequence[WorkflowTask]) -> Iterator[Fault]:
    """Check what stands behind each step in its list."""
    for number, step in enumerate(steps):
        following = steps[number + 1] if number + 1 < len(steps) else None
        complaint = task_type(step.type).check_follower(following)
        if complaint is not None:
            yield Fault(f"{path}[{number}]", complaint)
        for name, nested in step.lists():
            yield from _places(f"{path}[{number}].{name}", nested)


def _expressions(definition: WorkflowDef) -> Iterator[Fault]:
    """Check the roots of expressions in the inputs of top-level tasks, as Conductor does; nested ones go unchecked."""
    known = _KNOWN_ROOTS | {step.task_reference_name for _, step in walk(definition.tasks)}
    for number, step in enumerate(definition.tasks):
        for reference in references(step.input_parameters, f"tasks[{number}].inputParameters"):
            path = reference.path
            if reference.fault is not None:
                yield Fault(path, f"${{{reference.text}}} is not valid: {reference.fault}")
            elif reference.root is not None and reference.root not in known:
                yield Fault(
                    path,
                    f"${{{reference.text}}} refers to {reference.root!r}, which is neither 'workflow' nor a "
                    "taskReferenceName of this workflow",
                )
