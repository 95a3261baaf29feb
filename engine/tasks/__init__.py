"""One file for each task type that the engine knows; the register is built by looking at this directory."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache, lru_cache
from importlib.metadata import entry_points

from engine.tasks.step import TaskType
from engine.tasks.worker import WorkerTask

#: Packages may add task types of their own: entry points of this group name modules with a ``TYPE``.
ENTRY_POINTS = "baton.task_types"

#: Modules of this room that describe what a type is rather than being one.
_FRAME = frozenset({"step", "worker", "system", "join_script", "gathered", "limits"})


@cache
def task_types() -> dict[str, TaskType]:
    """Return every known task type by its name in definitions."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
        if found.name not in _FRAME
    ]
    modules += [entry.load() for entry in entry_points(group=ENTRY_POINTS)]
    found: dict[str, TaskType] = {}
    for module in modules:
        for kind in getattr(module, "TYPES", None) or (module.TYPE,):
            found[kind.name] = kind
    return found


_WORKER = WorkerTask()


#: Names that are kept with their types: what is no type of ours may have any name.
_KNOWN_NAMES = 1_000


@lru_cache(maxsize=_KNOWN_NAMES)
def task_type(name: str) -> TaskType:
    """Return the type of that name; an unknown one is a worker task whose queue is the type (Conductor 1.2)."""
    return task_types().get(name) or _WORKER
