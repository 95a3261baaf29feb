"""Which run a task starts: its id is derived, so that starting it twice is starting it once."""

from __future__ import annotations

from uuid import NAMESPACE_OID, uuid5

from engine.model.execution import Task
from engine.model.payload import JsonObject
from engine.wire.start_message import derived_id


def child_id(task: Task) -> str:
    """Return the id of the run that a task starts for itself, and of its wish for a run."""
    return str(uuid5(NAMESPACE_OID, f"baton child of {task.id}"))


def wanted_id(task: Task, request: JsonObject) -> str:
    """Return the id of the run that a task asks for: with an idempotency key the one that all get who use this key."""
    key, definition = request.get("idempotencyKey"), request.get("workflowDef")
    inline = definition.get("name") if isinstance(definition, dict) else None
    name = inline if isinstance(inline, str) and inline.strip() else request.get("name")
    return derived_id("key", str(name), str(key)) if key else child_id(task)
