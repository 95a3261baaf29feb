"""Tasks that somebody's worker carries out under a name of its own: what every unknown type is."""

from __future__ import annotations

from typing import ClassVar

from engine.model.execution import Task
from engine.tasks.step import At, Become, HandOut, Step, TaskType


class WorkerTask(TaskType):
    """A type the engine does not know: handed to the workers that listen on a queue named like the type."""

    name: ClassVar[str] = ""
    takes_template = True

    def shown_type(self, task: Task) -> str:
        """Return the type as it is written in the definition."""
        return task.type

    def start(self, at: At) -> Step:
        """Hand the task to the queue named like its type."""
        return Become(name=at.config.type, step=HandOut(queue=at.config.type, by_domain=True))
