"""SIMPLE: a task that somebody's worker carries out (Conductor 3.1)."""

from __future__ import annotations

from engine.model.definition import TaskDef
from engine.model.execution import Task
from engine.tasks.step import At, HandOut, Step, TaskType


class Simple(TaskType):
    """Handed to the queue named like the task; unregistered ones get three retries and an hour to answer."""

    name = "SIMPLE"
    takes_template = True
    default_definition = TaskDef()

    def shown_type(self, task: Task) -> str:
        """Return the worker's name, as Conductor does."""
        return task.name

    def start(self, at: At) -> Step:
        """Hand the task to the queue of its name."""
        return HandOut(queue=at.task.name, by_domain=True)


TYPE = Simple()
