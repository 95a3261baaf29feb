"""Saving where one statement cannot tell another one which rows it has written: runs first, then their tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from sqlalchemy import Connection

from engine.model.execution import Task, Workflow
from engine.store.port import Save
from engine.store.slices import sliced


class StepwiseBatch(ABC):
    """Writes each kind of rows by itself, however many there are."""

    def save(self, connection: Connection, saves: Sequence[Save], *, last: bool) -> set[str]:
        """See ``Batch.save``."""
        written: set[str] = set()
        new = [save.workflow for save in saves if save.loaded_version is None]
        if new:
            written |= self._insert_workflows(connection, new)
        existing = [save for save in saves if save.loaded_version is not None]
        if existing:
            written |= self._update_workflows(connection, existing)
        won = [save for save in saves if save.workflow.id in written]
        inserted = [task for save in won for task in save.inserted]
        for some in sliced(inserted):
            self._insert_tasks(connection, some)
        updated = [(task, save.tasks_before.get(task.seq)) for save in won for task in save.updated]
        for pairs in sliced(updated):
            self._update_tasks(connection, [task for task, _ in pairs], [before for _, before in pairs])
        return written

    @abstractmethod
    def _insert_workflows(self, connection: Connection, workflows: Sequence[Workflow]) -> set[str]:
        """Write new runs; return the ids of those that did not exist."""

    @abstractmethod
    def _update_workflows(self, connection: Connection, saves: Sequence[Save]) -> set[str]:
        """Write over runs that are still at the version they were loaded at; return the ids of those."""

    @abstractmethod
    def _insert_tasks(self, connection: Connection, tasks: Sequence[Task]) -> None:
        """Write new tasks."""

    @abstractmethod
    def _update_tasks(self, connection: Connection, tasks: Sequence[Task], before: Sequence[Task | None]) -> None:
        """Write over existing tasks; ``before`` has for each what it was made from, where that is known."""
