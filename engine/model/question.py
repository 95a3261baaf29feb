"""What a decision may have to know that stands neither in the run nor in the definitions: asked for, never fetched.

A decision that lacks an answer goes on as if it were no, and names the question. The road finds the answer and has the
same decision made once more.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TypeAlias

import msgspec
from msgspec import Struct

from engine.model.definition import WorkflowDef


class IsServed(Struct, frozen=True):
    """Are there workers that take tasks from this queue?"""

    queue: str


class DefinitionOf(Struct, frozen=True):
    """How does this workflow's definition read now, as a run would keep it? None is the highest version there is.

    The answer is a ``Found``, or a sentence that says why there is none.
    """

    name: str
    version: int | None


class Found(Struct, frozen=True):
    """A definition with the hash under which it is stored."""

    hash: str
    definition: WorkflowDef


class WayTo(Struct, frozen=True):
    """Through which tasks does one run lead to a task of a run below it?

    The answer is the id of each task on the way, this run's own first, the task itself last; empty when there is none.
    """

    workflow_id: str
    task_id: str


class RunOf(Struct, frozen=True):
    """How does the run of this id stand? The answer is Conductor's Workflow object, or why there is none."""

    workflow_id: str
    with_tasks: bool


class KeptResult(Struct, frozen=True):
    """What is the output that a task of this name had for this key, not too long ago?"""

    name: str
    key: str

    @property
    def digest(self) -> str:
        """What stands for name and key, however long they are."""
        return sha256(msgspec.json.encode([self.name, self.key])).hexdigest()


Question: TypeAlias = IsServed | DefinitionOf | WayTo | RunOf | KeptResult
