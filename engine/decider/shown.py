"""A run as another one may see it: Conductor's Workflow object, without what its definition wants masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.model.definition import WorkflowDef
from engine.model.execution import Task, Workflow
from engine.model.payload import Json
from engine.wire.conductor import Described, workflow_json
from engine.wire.masked_fields import masked_task, masked_workflow


def shown(
    workflow: Workflow,
    tasks: Sequence[Task],
    definition: WorkflowDef,
    describe: Callable[[Task], Described],
    *,
    with_tasks: bool,
) -> dict[str, Json]:
    """Return the object, with its tasks if they are wanted."""
    hidden = definition.masked_fields
    seen = (masked_task(task, hidden) for task in tasks)
    return workflow_json(masked_workflow(workflow, hidden), seen, definition, describe, with_tasks)
