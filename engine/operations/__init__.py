"""One file for each verb that an operator or an API client may ask for; the register is this directory."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache

from engine.model.request import Outcome, Request
from engine.operations.desk import Desk

Operation = Callable[[Desk, Request], Outcome]

_FRAME = frozenset({"desk"})


@cache
def operations() -> dict[str, Operation]:
    """Return every operation by its verb, which is the name of its file."""
    return {
        found.name: importlib.import_module(f"{__name__}.{found.name}").operate
        for found in pkgutil.iter_modules(__path__)
        if found.name not in _FRAME
    }


def is_logged(verb: str) -> bool:
    """Return whether requests of this verb go into the audit trail; all do but those whose file says otherwise."""
    return verb not in _unlogged()


@cache
def _unlogged() -> frozenset[str]:
    return frozenset(
        verb for verb in operations() if not getattr(importlib.import_module(f"{__name__}.{verb}"), "LOGGED", True)
    )
