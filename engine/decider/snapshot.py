"""The definition as a run keeps it: complete in itself, named by what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from engine.model.definition import TaskDef, WorkflowDef, WorkflowTask, changed


def snapshot(
    definition: WorkflowDef, task_defs: Mapping[str, TaskDef], latest_versions: Mapping[str, int]
) -> WorkflowDef:
    """Return the definition with everything in it that must not change while a run goes on.

    Registered task definitions are embedded, and sub-workflows without a version get the highest one there is now
    (Conductor 1.3, 3.9). Names that nobody has registered stay as they are.
    """

    def complete(step: WorkflowTask) -> WorkflowTask:
        update: dict[str, object] = {}
        if step.task_definition is None and step.name in task_defs:
            update["task_definition"] = task_defs[step.name]
        param = step.sub_workflow_param
        if param is not None and not param.version and not param.workflow_definition and param.name in latest_versions:
            update["sub_workflow_param"] = param.model_copy(update={"version": latest_versions[param.name]})
        return step.model_copy(update=update) if update else step

    return definition.model_copy(update={"tasks": tuple(changed(step, complete) for step in definition.tasks)})


def hash_of(definition: WorkflowDef) -> str:
    """Return the SHA-256 of a definition's JSON, keys in order: equal definitions have equal hashes.

    Fields that hold their default are left out, so that a version with one field more gives no other hash.
    """
    said = definition.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    text = msgspec.json.encode(said, order="deterministic")
    return hashlib.sha256(text).hexdigest()
