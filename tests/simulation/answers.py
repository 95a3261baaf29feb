"""What workers and people say: it follows from the step, the attempt and the input alone, never from time."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec

from engine.model.execution import Task

#: What a person answers where one is waited for.
PERSON: dict[str, Any] = {"by": "a person"}

#: Of a hundred attempts, those that fail for good, and those that fail.
_TERMINAL, _FAILING = 4, 20


def plain_ref(task: Task) -> str:
    """Return a task's reference; branches made from one template get a name that does not hang on who was first."""
    given = task.input.get("workflowInput", task.input)
    if not task.ref.startswith("_") or "__index" not in given:
        return task.ref
    _, mark, suffix = task.ref.partition("__")
    return f"{given['key']}[{given['__index']}]{mark}{suffix}"


def answer(workflow_name: str, ref: str, attempt: int, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a worker says about an attempt, in Celery's form; ``ref`` is the task's ``plain_ref``."""
    seen = [given.get("key"), given.get("n"), given.get("before"), given.get("__index")]
    number = crc32(msgspec.json.encode([workflow_name, ref, attempt, seen]))
    # What an attempt comes to hangs on the step, so that the same input may fail first and succeed then.
    chance = crc32(f"{workflow_name}/{ref}/{attempt}".encode()) % 100
    if chance < _TERMINAL:
        return _failure("TerminalError")
    if chance < _FAILING:
        return _failure("ValueError")
    return {"status": "SUCCESS", "result": {"n": number, "way": "ab"[number % 2], "from": ref}}


def _failure(kind: str) -> dict[str, Any]:
    return {"status": "FAILURE", "result": {"exc_type": kind, "exc_message": ["it broke"], "exc_module": "tests"}}
