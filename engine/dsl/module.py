"""The definitions that a Python module holds, and how modules are found for the command line."""

from __future__ import annotations

import importlib
import runpy
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from engine.dsl.errors import BadWorkflow, DefinitionWarning
from engine.dsl.task import Task
from engine.dsl.workflow import Workflow
from engine.errors import BadMessage, NotFound


def definitions_in(module: object) -> list[Task | Workflow]:
    """Return the tasks and workflows among a module's names, tasks first; tasks that are only called are left out."""
    found = list(dict.fromkeys(_held(module)))
    return [
        *(each for each in found if isinstance(each, Task)),
        *(each for each in found if isinstance(each, Workflow)),
    ]


def _held(module: object) -> Iterator[Task | Workflow]:
    for value in vars(module).values():
        if isinstance(value, Workflow) or (isinstance(value, Task) and value.is_defined):
            yield value


def load_file(path: Path) -> list[Task | Workflow]:
    """Run a Python file and return its definitions; raises ``BadMessage`` when it cannot be run."""
    return definitions_in(_loaded(path.parent, lambda: SimpleNamespace(**runpy.run_path(str(path)))))


def load(target: str) -> list[Task | Workflow]:
    """Return the definitions of ``package.module`` or ``package.module:name``, with this folder in the path.

    Raises ``BadMessage`` when the module cannot be imported, ``NotFound`` when it holds no such name.
    """
    name, _, attribute = target.partition(":")
    module = _loaded(Path.cwd(), lambda: importlib.import_module(name))
    if not attribute:
        return definitions_in(module)
    found = getattr(module, attribute, None)
    if not isinstance(found, Task | Workflow):
        raise NotFound(f"{name} has no workflow or task {attribute!r}")
    return [found]


def _loaded(folder: Path, run: Callable[[], object]) -> object:
    """Run somebody's code with their folder in the path; what goes wrong in it becomes a sentence with its line."""
    with _in_path(Path.cwd()), _in_path(folder), warnings.catch_warnings():
        # Whoever loads definitions checks them and tells of the same doubts.
        warnings.simplefilter("ignore", DefinitionWarning)
        try:
            return run()
        except BadWorkflow as error:
            raise BadMessage(str(error)) from None
        except (Exception, SystemExit) as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise BadMessage(f"{last.filename}:{last.lineno}: {type(error).__name__}: {error}") from None


@contextmanager
def _in_path(folder: Path) -> Iterator[None]:
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
