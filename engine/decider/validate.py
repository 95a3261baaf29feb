"""Everything that is wrong with a definition, at once, each mistake with its JSON path (Conductor 1.1, 1.3, 3.0)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TypeAlias

from engine.decider.admission import POLICIES
from engine.decider.named_schema import FindSchemas, schema_warnings
from engine.decider.schema import schema_faults
from engine.decider.warn import KNOWN_ROOTS, near, task_warnings, workflow_warnings
from engine.errors import BadDefinition, Fault
from engine.expression.condition_syntax import only_reads
from engine.expression.script import check_javascript
from engine.expression.template import is_variable, references
from engine.model.definition import MOST_FAULTS, TaskDef, WorkflowDef, WorkflowTask, read, walk
from engine.model.payload import Json
from engine.model.unknown_fields import unknown_fields
from engine.tasks import task_type

#: Characters of a name. Names are keys of indexes in the database and, with a domain before it, names of queues.
_LONGEST_NAME = 250

#: Scripts of one definition that do more than read; each costs a millisecond to check.
_MOST_SCRIPTS = 500

#: Names that look mistyped, told beside mistakes.
_MOST_MISTYPED = 10

#: Finds the registered task definitions among these names; their templates may hold what a step lacks.
FindTasks: TypeAlias = Callable[[Collection[str]], Mapping[str, TaskDef]]


def check_workflow(document: Json, *, registered: bool = True) -> WorkflowDef:
    """Read a workflow definition; raises ``BadDefinition`` with every mistake in it.

    One that is not ``registered``, but written out in the step that starts it, may have expressions that find nothing.
    """
    return _checked(document, lambda names: {}, registered=registered)[0]


def validate_workflow(
    document: Json,
    find_tasks: FindTasks,
    find_schemas: FindSchemas | None = None,
    *,
    missing: bool = False,
    strict: bool = False,
) -> tuple[WorkflowDef, tuple[Fault, ...]]:
    """Read a workflow definition and return it with its warnings: what will not work as it reads.

    ``missing`` warns also of worker tasks without a definition, ``find_schemas`` of schemas that are not registered.
    Raises ``BadDefinition`` with every mistake in it, with ``strict`` also for warnings.
    """
    definition, found = _checked(document, find_tasks)
    told = chain(
        schema_warnings(definition, find_schemas),
        workflow_warnings(definition, document, found.keys(), missing=missing),
        _of_children(definition, find_tasks, find_schemas, missing=missing),
    )
    warnings = tuple(islice(told, MOST_FAULTS))
    if strict and warnings:
        raise BadDefinition(_subject("Workflow", document), warnings)
    return definition, warnings


def validate_task(
    document: Json, find_schemas: FindSchemas | None = None, *, strict: bool = False
) -> tuple[TaskDef, tuple[Fault, ...]]:
    """Read a task definition and return it with its warnings; see ``validate_workflow``."""
    definition = check_task(document)
    warnings = (*schema_warnings(definition, find_schemas), *task_warnings(document))
    if strict and warnings:
        raise BadDefinition(_subject("Task", document), warnings)
    return definition, warnings


def _of_children(
    definition: WorkflowDef, find_tasks: FindTasks, find_schemas: FindSchemas | None, *, missing: bool
) -> Iterator[Fault]:
    """Warn of what is wrong with definitions written out in steps: it stops nothing before they are started."""
    for path, step in walk(definition.tasks):
        inner = step.sub_workflow_param.workflow_definition if step.sub_workflow_param is not None else None
        if not isinstance(inner, Mapping):
            continue
        try:
            _, doubts = validate_workflow(inner, find_tasks, find_schemas, missing=missing)
        except BadDefinition as error:
            doubts = error.faults
        for doubt in doubts:
            here = f"{path}.subWorkflowParam.workflowDefinition.{doubt.path}"
            yield Fault(here, doubt.removeprefix(f"{doubt.path}: "))


def _checked(
    document: Json, find_tasks: FindTasks, *, registered: bool = True
) -> tuple[WorkflowDef, Mapping[str, TaskDef]]:
    subject = _subject("Workflow", document)
    definition, shape = read(WorkflowDef, document, subject)
    found = find_tasks({step.name for _, step in walk(definition.tasks)})
    own = _workflow_faults(definition, found)
    faulty = chain(own, _expressions(definition)) if registered else own
    faults = [*shape, *islice(_unless_shown(shape, faulty), MOST_FAULTS)]
    if faults:
        raise BadDefinition(subject, [*faults, *_mistyped(WorkflowDef, document)])
    return definition, found


def check_task(document: Json) -> TaskDef:
    """Read a task definition; raises ``BadDefinition`` with every mistake in it."""
    subject = _subject("Task", document)
    definition, shape = read(TaskDef, document, subject)
    faults = [*shape, *_unless_shown(shape, _task_faults(definition))]
    if faults:
        raise BadDefinition(subject, [*faults, *_mistyped(TaskDef, document)])
    return definition


def _subject(kind: str, document: Json) -> str:
    name = document.get("name") if isinstance(document, Mapping) else None
    if isinstance(name, str) and name.strip():
        return f"{kind} definition {name[:_LONGEST_NAME]!r}"
    return f"The {kind.lower()} definition"


def _mistyped(kind: type[WorkflowDef | TaskDef], document: Json) -> Iterator[Fault]:
    """Name fields that are ignored and look like others: what is missing may stand there."""
    mistyped = ((path, meant) for path, meant in unknown_fields(kind, document) if meant)
    for path, meant in islice(mistyped, _MOST_MISTYPED):
        yield Fault(path, f"no such field is known; did you mean {meant!r}?")


def _unless_shown(shape: Sequence[Fault], found: Iterator[Fault]) -> Iterator[Fault]:
    """Leave out what only follows from a mistake of shape at the same place or above."""
    shown = [fault.path for fault in shape]
    return (fault for fault in found if not any(fault.path.startswith(path) for path in shown))


def _task_faults(definition: TaskDef) -> Iterator[Fault]:
    if not definition.name:
        yield Fault("name", "a task definition needs a name")
    yield from _written_out_faults(definition)
    timeout, response, total = (
        definition.timeout_seconds,
        definition.response_timeout_seconds,
        definition.total_timeout_seconds,
    )
    if timeout and response > timeout:
        yield Fault("responseTimeoutSeconds", f"{response} must not be longer than timeoutSeconds ({timeout})")
    if timeout and total and timeout > total:
        yield Fault("timeoutSeconds", f"{timeout} must not be longer than totalTimeoutSeconds ({total})")


def _written_out_faults(definition: TaskDef) -> Iterator[Fault]:
    """Return what is wrong with one that is written out in a step; it may lack a name, as in Conductor."""
    yield from _name_faults("name", definition.name)
    yield from schema_faults(definition)


def _workflow_faults(definition: WorkflowDef, task_defs: Mapping[str, TaskDef]) -> Iterator[Fault]:
    if not definition.name.strip():
        yield Fault("name", "a workflow needs a name")
    if definition.schema_version != 2:
        yield Fault("schemaVersion", f"must be 2, not {definition.schema_version}")
    if not definition.tasks:
        yield Fault("tasks", "a workflow needs at least one task")
    yield from _names(definition)
    yield from _name_faults("name", definition.name)
    yield from schema_faults(definition)
    config = definition.rate_limit_config
    if config is not None and config.policy not in POLICIES:
        yield Fault("rateLimitConfig.policy", f"must be one of {', '.join(POLICIES)}, not {config.policy[:60]!r}")
    scripts = 0
    for path, step in walk(definition.tasks):
        yield from _step_faults(path, step, task_defs.get(step.name))
        scripts += sum(not only_reads(source) for _, source in task_type(step.type).scripts(step))
        if scripts > _MOST_SCRIPTS:
            yield Fault(path, f"this is script number {scripts}: a definition may have {_MOST_SCRIPTS}")
            return


def _names(definition: WorkflowDef) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for path, step in walk(definition.tasks):
        if not step.name:
            yield Fault(f"{path}.name", "a task needs a name")
        if not step.type.strip():
            yield Fault(f"{path}.type", "a task needs a type; without the field it is SIMPLE")
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


def _step_faults(path: str, step: WorkflowTask, registered: TaskDef | None) -> Iterator[Fault]:
    kind = task_type(step.type)
    as_run = step if step.task_definition else step.model_copy(update={"task_definition": registered})
    for fault in kind.check(as_run):
        yield Fault(f"{path}.{fault.path}", fault.removeprefix(f"{fault.path}: "))
    for field, source in kind.scripts(step) if kind.refuses_scripts else ():
        complaint = check_javascript(source)
        if complaint is not None:
            yield Fault(f"{path}.{field}", f"not valid JavaScript: {complaint}")
    if step.task_definition is not None:
        for fault in _written_out_faults(step.task_definition):
            yield Fault(f"{path}.taskDefinition.{fault.path}", fault.removeprefix(f"{fault.path}: "))


def _expressions(definition: WorkflowDef) -> Iterator[Fault]:
    """Check the roots of expressions in the inputs of top-level tasks, as Conductor does; nested ones go unchecked."""
    refs = {step.task_reference_name for _, step in walk(definition.tasks)}
    known = KNOWN_ROOTS | refs
    for number, step in enumerate(definition.tasks):
        for reference in references(step.input_parameters, f"tasks[{number}].inputParameters"):
            path = reference.path
            if reference.fault is not None:
                yield Fault(path, f"${{{reference.text}}} is not valid: {reference.fault}")
            elif reference.root is not None and reference.root not in known and not is_variable(reference.text):
                yield Fault(
                    path,
                    f"${{{reference.text}}} refers to {reference.root!r}, which is neither 'workflow' nor a "
                    f"taskReferenceName of this workflow{near(reference.root, refs)}",
                )
