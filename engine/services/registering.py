"""Registers what lies in a folder, all of it or nothing."""

from __future__ import annotations

from pathlib import Path

from engine.api import schedules
from engine.api.definitions import register, register_tasks
from engine.clock import SystemClock
from engine.errors import BadDefinition, Fault
from engine.log import get_logger
from engine.services.checking import check
from engine.services.definition_files import find
from engine.store.port import Store

log = get_logger(__name__)


def register_folder(store: Store, folder: Path) -> None:
    """Register every definition in the folder, replacing those of the same name and version.

    Raises ``BadDefinition`` with every mistake, each with its file and JSON path, and registers nothing then;
    ``NotFound`` when the folder holds no definition.
    """
    found, unread = find([folder])
    checked = check(found)
    mistakes = [*unread, *checked.mistakes]
    if mistakes:
        faults = [Fault(each.file, f"{each.path}: {each.message}" if each.path else each.message) for each in mistakes]
        raise BadDefinition(f"The folder {folder}", faults)
    now = SystemClock().now()
    if checked.tasks:
        register_tasks(store, checked.tasks, now)
    for definition in checked.workflows:
        register(store, definition, now, overwrite=True)
    with store.transaction() as tx:
        for handler in checked.handlers:
            if not tx.put_event_handler(handler, known=True):
                tx.put_event_handler(handler, known=False)
    for schedule in checked.schedules:
        schedules.save(store, schedule, now)
    for doubt in checked.warnings:
        log.warning("definition.doubtful", file=doubt.file, path=doubt.path, doubt=doubt.message)
    counts = {kind: len(getattr(checked, kind)) for kind in ("workflows", "tasks", "handlers", "schedules")}
    log.info("definitions.registered", folder=str(folder), **counts)
