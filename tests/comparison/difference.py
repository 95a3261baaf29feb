"""What two servers say of the same run, as far as it should be the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.\d+)?")

_OF_A_RUN: Final = ("status", "output", "variables", "reasonForIncompletion")
_OF_A_TASK: Final = (
    "taskType", "taskDefName", "status", "inputData", "outputData", "reasonForIncompletion", "iteration",
    "loopOverTask",
)  # fmt: skip

#: The input of a fork's own row is how a server keeps its branches, which each does in its own way.
_KEPT_ITS_OWN_WAY: Final = {"FORK": ("inputData",)}


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Return a line for each place where the runs differ, the first one's side before the second one's."""
    return list(_compared("run", _shown(ours), _shown(theirs)))


def _shown(run: dict[str, Any]) -> Any:
    tasks = {
        f"{task['referenceTaskName']} (attempt {task['retryCount']})": {
            key: task.get(key) for key in _OF_A_TASK if key not in _KEPT_ITS_OWN_WAY.get(task["taskType"], ())
        }
        for task in run["tasks"]
    }
    # A set, which Conductor gives in no order.
    failed = sorted(run.get("failedReferenceTaskNames") or [])
    return _nameless({**{key: run.get(key) for key in _OF_A_RUN}, "failed": failed, "tasks": tasks})


def _nameless(value: Any) -> Any:
    match value:
        case dict():
            return {key: _nameless(inner) for key, inner in value.items() if inner is not None}
        case list():
            return [_nameless(inner) for inner in value]
        case str():
            return _ID.sub("<id>", value)
        case _:
            return value


def _compared(place: str, ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            yield from _compared(f"{place}.{key}", ours.get(key), theirs.get(key))
    elif ours != theirs:
        yield f"{place}: {_short(ours)} | {_short(theirs)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"
