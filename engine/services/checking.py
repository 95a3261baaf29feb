"""Checks definitions found in files, all of them together: what one lacks another may hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from engine.clock import SystemClock
from engine.decider.named_schema import FindSchemas
from engine.decider.schedule_check import FindVersion, check_schedule
from engine.decider.validate import FindTasks, validate_task, validate_workflow
from engine.errors import BadDefinition, Fault
from engine.handling.check import check_handler
from engine.model.definition import TaskDef, WorkflowDef
from engine.model.event_handler import EventHandler
from engine.model.payload import Json
from engine.services.definition_files import Mistake, Written


@dataclass
class Checked:
    """The definitions without mistakes, the mistakes of the others, and the warnings; schedules as they are written."""

    tasks: list[TaskDef] = field(default_factory=list)
    workflows: list[WorkflowDef] = field(default_factory=list)
    handlers: list[EventHandler] = field(default_factory=list)
    schedules: list[Json] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)


def check(
    found: Sequence[Written],
    registered: FindTasks | None = None,
    schemas: FindSchemas | None = None,
    version_of: FindVersion | None = None,
) -> Checked:
    """Check definitions; ``registered`` finds those of tasks that are not among them, where there is a server to ask.

    Only then is it known, and a warning, that a task has no definition at all; by ``schemas`` that a schema is not
    registered; and by ``version_of`` that there is no workflow that a schedule starts.
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

    def version(name: str, wanted: int | None) -> int | None:
        versions = {each.version for each in checked.workflows if each.name == name}
        if wanted in versions or (versions and wanted is None):
            return wanted or max(versions)
        return (wanted or 1) if version_of is None else version_of(name, wanted)

    for each in found:
        if each.kind in ("handler", "schedule"):
            _check_around(each, version, checked)
    return checked


def _check_around(written: Written, version_of: FindVersion, checked: Checked) -> None:
    """Check what starts workflows: an event handler or a schedule."""
    try:
        if written.kind == "handler":
            checked.handlers.append(check_handler(written.document))
        else:
            check_schedule(written.document, version_of, SystemClock().now())
            checked.schedules.append(written.document)
    except BadDefinition as error:
        checked.mistakes += _placed(written, error.faults)


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
