"""Registers what lies in a folder, all of it or nothing."""

from __future__ import annotations

from pathlib import Path

from engine.api.definitions import register, register_tasks
from engine.clock import SystemClock
from engine.decider.validate import check_task, check_workflow
from engine.errors import BadDefinition, Fault
from engine.log import get_logger
from engine.model.definition import TaskDef, WorkflowDef
from engine.services.definition_files import find
from engine.store.port import Store

log = get_logger(__name__)


def register_folder(store: Store, folder: Path) -> None:
    """Register every definition in the folder, replacing those of the same name and version.

    Raises ``BadDefinition`` with every mistake, each with its file and JSON path, and registers nothing then;
    ``NotFound`` when the folder holds no definition.
    """
    found, mistakes = find([folder])
    faults = [Fault(mistake.file, mistake.message) for mistake in mistakes]
    tasks: list[TaskDef] = []
    workflows: list[WorkflowDef] = []
    for each in found:
        try:
            if each.kind == "task":
                tasks.append(check_task(each.document))
            else:
                workflows.append(check_workflow(each.document))
        except BadDefinition as error:
            faults += [Fault(f"{each.file}{each.place}", fault) for fault in error.faults]
    if faults:
        raise BadDefinition(f"The folder {folder}", faults)
    now = SystemClock().now()
    if tasks:
        register_tasks(store, tasks, now)
    for definition in workflows:
        register(store, definition, now, overwrite=True)
    log.info("definitions.registered", folder=str(folder), workflows=len(workflows), tasks=len(tasks))
