"""EXCLUSIVE_JOIN: takes the output of the one step that ran among several (Conductor 3.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.errors import Fault
from engine.model.definition import WorkflowTask
from engine.model.execution import Task
from engine.tasks.step import At, Await, Complete, Fail, Step, TaskType


class ExclusiveJoin(TaskType):
    """The first reference of ``joinOn`` that has run, else of ``defaultExclusiveJoinTask``, decides.

    Where none has run, no case was taken: there is nothing to wait for (Conductor would wait for ever), and the
    output is empty.
    """

    name = "EXCLUSIVE_JOIN"
    named_by_type = True
    retriable = False
    reopens = True

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Expect something to choose from."""
        if not _candidates(config):
            yield Fault("joinOn", "names nothing to choose from: the output will be empty")

    def joins(self, config: WorkflowTask) -> tuple[str, ...]:
        """Return what is written in ``joinOn`` and as the default."""
        return _candidates(config)

    def start(self, at: At) -> Step:
        """Answer at once if the step that decides has ended; else wait for it."""
        ref = next((ref for ref in _candidates(at.config) if at.latest(ref + at.suffix) is not None), None)
        if ref is None:
            return Complete()
        return Await(input={**at.task.input, "joinOn": [ref]})

    def awaits(self, config: WorkflowTask, task: Task) -> tuple[str, ...]:
        """Return the reference that decides."""
        return tuple(task.input.get("joinOn", ()))

    def settled(self, at: At, joined: Sequence[tuple[WorkflowTask, Task]]) -> Step:
        """End as the step that decides has ended, with its output."""
        for step, task in joined:
            if not (task.status.is_successful or step.optional):
                return Fail(reason=task.reason or f"{task.ref} ended {task.status}", output=task.output)
            return Complete(output=task.output)
        return Complete()


def _candidates(config: WorkflowTask) -> tuple[str, ...]:
    return (*config.join_on, *config.default_exclusive_join_task)


TYPE = ExclusiveJoin()
