"""One file for each verb that an operator or an API client may ask for; the register is this directory."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache

from msgspec.structs import replace

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


def as_logged(request: Request) -> Request:
    """Return a request as the audit trail keeps it: without the arguments that its file names in ``KEPT_ELSEWHERE``.

    Reports of workers are most of the trail, and what they have made of a task stands in its row already.
    """
    elsewhere = _elsewhere().get(request.verb)
    if not elsewhere or elsewhere.isdisjoint(request.arguments):
        return request
    left = {name: value for name, value in request.arguments.items() if name not in elsewhere}
    return replace(request, arguments=left)


@cache
def _unlogged() -> frozenset[str]:
    return frozenset(
        verb for verb in operations() if not getattr(importlib.import_module(f"{__name__}.{verb}"), "LOGGED", True)
    )


@cache
def _elsewhere() -> dict[str, frozenset[str]]:
    modules = {verb: importlib.import_module(f"{__name__}.{verb}") for verb in operations()}
    return {verb: getattr(module, "KEPT_ELSEWHERE", frozenset()) for verb, module in modules.items()}
