"""The definition as a run keeps it: complete in itself, named by what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from engine.decider.named_schema import written_out
from engine.model.definition import TaskDef, WorkflowDef, WorkflowTask, changed
from engine.model.schema_def import SchemaDef, SchemaKey


def snapshot(
    definition: WorkflowDef,
    task_defs: Mapping[str, TaskDef],
    latest_versions: Mapping[str, int],
    schemas: Mapping[SchemaKey, SchemaDef],
) -> WorkflowDef:
    """Return the definition with everything in it that must not change while a run goes on.

    Registered task definitions are embedded, registered schemas written out, and sub-workflows without a version get
    the highest one there is now (Conductor 1.3, 3.9). Names that nobody has registered stay as they are.
    """

    def complete(step: WorkflowTask) -> WorkflowTask:
        update: dict[str, object] = {}
        own = step.task_definition or task_defs.get(step.name)
        whole = None if own is None else written_out(own, schemas)
        if whole is not step.task_definition:
            update["task_definition"] = whole
        param = step.sub_workflow_param
        if param is not None and not param.version and not param.workflow_definition and param.name in latest_versions:
            update["sub_workflow_param"] = param.model_copy(update={"version": latest_versions[param.name]})
        return step.model_copy(update=update) if update else step

    tasks = tuple(changed(step, complete) for step in definition.tasks)
    return written_out(definition, schemas).model_copy(update={"tasks": tasks})


def hash_of(definition: WorkflowDef) -> str:
    """Return the SHA-256 of a definition's JSON, keys in order: equal definitions have equal hashes.

    Fields that hold their default are left out, so that a version with one field more gives no other hash.
    """
    said = definition.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    text = msgspec.json.encode(said, order="deterministic")
    return hashlib.sha256(text).hexdigest()
