"""Steps that an operator wants to be passed over when the flow comes to them."""

from __future__ import annotations

from msgspec.structs import replace

from engine.decider.draft import Draft
from engine.model.definition import WorkflowTask
from engine.model.execution import Task
from engine.model.payload import JsonObject
from engine.model.status import TaskStatus
from engine.tasks import task_type


def wanted_skip(draft: Draft, plain: str, ref: str) -> JsonObject | None:
    """Return the input and output that a step is to be given in place of being carried out; each wish holds once.

    A step in a loop may be named with its iteration, or without: then the next one is meant.
    """
    skips = draft.workflow.skips
    if not skips:
        return None
    name = ref if ref in skips else plain
    found: JsonObject | None = skips.get(name)
    if found is not None:
        draft.change_workflow(skips={other: wish for other, wish in skips.items() if other != name})
    return found


def skipped(draft: Draft, task: Task, config: WorkflowTask, wish: JsonObject) -> Task:
    """Return the row of a step that is passed over."""
    if task_type(config.type).detached:
        # None of its branches runs, so nothing holds up what waits for them.
        draft.forks[task.seq] = 0
    return replace(
        task,
        status=TaskStatus.SKIPPED,
        input=wish.get("input") or {},
        output=wish.get("output") or {},
        visible_at=draft.now,
        started_at=draft.now,
        updated_at=draft.now,
        ended_at=draft.now,
    )
