"""Hides what a definition's ``maskedFields`` names from whoever reads a run; the run itself goes on with the values."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from engine.masking import HIDDEN
from engine.model.execution import Task, Workflow
from engine.model.payload import Json, JsonObject


def masked_workflow(workflow: Workflow, names: Collection[str]) -> Workflow:
    """Return the run's record as it may be shown: what stands under one of the names, at any depth, is ``***``."""
    if not names:
        return workflow
    return msgspec.structs.replace(
        workflow,
        input=masked_object(workflow.input, names),
        output=masked_object(workflow.output, names),
        variables=masked_object(workflow.variables, names),
    )


def masked_task(task: Task, names: Collection[str]) -> Task:
    """Return a task as it may be shown."""
    if not names:
        return task
    return msgspec.structs.replace(
        task, input=masked_object(task.input, names), output=masked_object(task.output, names)
    )


def masked_object(value: JsonObject, names: Collection[str]) -> dict[str, Json]:
    """Return people's data as it may be shown."""
    return {key: HIDDEN if key in names else _masked(part, names) for key, part in value.items()}


def _masked(value: Json, names: Collection[str]) -> Json:
    if isinstance(value, Mapping):
        return masked_object(value, names)
    return [_masked(part, names) for part in value] if isinstance(value, list | tuple) else value
