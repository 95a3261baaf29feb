"""What a store can tell of what goes on over all runs: open tasks, and how many runs stand how."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, TypeAlias

from engine.model.status import WorkflowStatus

#: A task by the id of its run and its seq.
OpenTaskKey: TypeAlias = tuple[str, int]


class Pending(Protocol):
    """The part of a transaction that looks over all runs."""

    def open_tasks(self, name: str, start: int, count: int) -> tuple[OpenTaskKey, ...]:
        """Return a page of the open tasks of open runs that have this name or type, by run and seq."""
        ...

    def count_runs(self, names: Collection[str] | None = None) -> dict[WorkflowStatus, int]:
        """Return how many runs have each status, of all workflows or of those with these names; none is left out."""
        ...
