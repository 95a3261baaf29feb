"""Tasks that asked by its idempotency key for a run which others had started: they wait for it as its parent does."""

from __future__ import annotations

from collections.abc import Iterator

from engine.decider.draft import Draft
from engine.model.command import TellParent
from engine.model.event import Asked
from engine.model.execution import Workflow


def ask(draft: Draft, news: Asked) -> None:
    """Tell the task that the run exists, and how it has ended, or will when it does."""
    draft.command(TellParent(news.task_id, started=True))
    if draft.has_ended():
        if news.awaits:
            draft.command(TellParent(news.task_id))
    elif not has_asked(draft.workflow, news.task_id):
        draft.change_workflow(asked_by=[*draft.workflow.asked_by, [news.task_id, news.awaits]])


def has_asked(workflow: Workflow, task_id: str) -> bool:
    """True when the run was started for this task, or the task has asked for it later."""
    return task_id == workflow.parent_task_id or any(task_id == known for known, _ in workflow.asked_by)


def waiting_tasks(workflow: Workflow) -> Iterator[str]:
    """Yield the ids of the tasks that wait for the end of this run: the parent's, and those that asked for it later."""
    if workflow.parent_task_id is not None:
        yield workflow.parent_task_id
    yield from (task_id for task_id, awaits in workflow.asked_by if awaits)
