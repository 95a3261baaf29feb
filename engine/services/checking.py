"""Checks definitions found in files, all of them together: what one lacks another may hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from engine.decider.named_schema import FindSchemas
from engine.decider.validate import FindTasks, validate_task, validate_workflow
from engine.errors import BadDefinition, Fault
from engine.model.definition import TaskDef, WorkflowDef
from engine.services.definition_files import Mistake, Written


@dataclass
class Checked:
    """The definitions without mistakes, the mistakes of the others, and the warnings."""

    tasks: list[TaskDef] = field(default_factory=list)
    workflows: list[WorkflowDef] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)


def check(found: Sequence[Written], registered: FindTasks | None = None, schemas: FindSchemas | None = None) -> Checked:
    """Check definitions; ``registered`` finds those of tasks that are not among them, where there is a server to ask.

    Only then is it known, and a warning, that a task has no definition at all; and by ``schemas`` that a schema is not
    registered.
    """
    checked = Checked()
    for each in found:
        if each.kind == "task":
            _check_task(each, schemas, checked)
    beside = {definition.name: definition for definition in checked.tasks}

    def find(names: Collection[str]) -> Mapping[str, TaskDef]:
        others = {} if registered is None else registered(names)
        return {**others, **{name: beside[name] for name in names if name in beside}}

    for each in found:
        if each.kind == "workflow":
            _check_workflow(each, find, schemas, checked, missing=registered is not None)
    return checked


def _check_task(written: Written, schemas: FindSchemas | None, checked: Checked) -> None:
    try:
        definition, warnings = validate_task(written.document, schemas)
    except BadDefinition as error:
        checked.mistakes += _placed(written, error.faults)
    else:
        checked.tasks.append(definition)
        checked.warnings += _placed(written, warnings)


def _check_workflow(
    written: Written, find: FindTasks, schemas: FindSchemas | None, checked: Checked, *, missing: bool
) -> None:
    try:
        definition, warnings = validate_workflow(written.document, find, schemas, missing=missing)
    except BadDefinition as error:
        checked.mistakes += _placed(written, error.faults)
    else:
        checked.workflows.append(definition)
        checked.warnings += _placed(written, warnings)


def _placed(written: Written, faults: Sequence[Fault]) -> list[Mistake]:
    return [
        Mistake(str(written.file), _path(written.place, fault.path), fault.removeprefix(f"{fault.path}: "))
        for fault in faults
    ]


def _path(place: str, path: str) -> str:
    if not place or path == "$":
        return place or path
    return f"{place}.{path}"
