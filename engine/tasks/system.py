"""System tasks that a worker of ours carries out: their facts live here, their bodies in ``workers/tasks``."""

from __future__ import annotations

from typing import ClassVar

from engine.model.payload import JsonObject
from engine.tasks.step import At, Complete, Fail, HandOut, Step, TaskType


class SystemTask(TaskType):
    """A type carried out by the system workers on the queue ``system.<type in lower case>``."""

    takes_template: ClassVar[bool] = True
    may_complete_later: ClassVar[bool] = True

    @property
    def queue(self) -> str:
        """The queue, and the Celery name, of the body."""
        return f"system.{self.name.lower()}"

    def computed(self, given: JsonObject) -> Complete | Fail | None:
        """Return what the body would make of an input, for rehearsals; None where more than the input matters."""
        return None

    def start(self, at: At) -> Step:
        """Hand the task to its system workers."""
        return HandOut(queue=self.queue)
