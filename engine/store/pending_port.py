"""What a store can tell of tasks that are open, over all runs."""

from __future__ import annotations

from typing import Protocol, TypeAlias

#: A task by the id of its run and its seq.
OpenTaskKey: TypeAlias = tuple[str, int]


class Pending(Protocol):
    """The part of a transaction that looks for open tasks."""

    def open_tasks(self, name: str, start: int, count: int) -> tuple[OpenTaskKey, ...]:
        """Return a page of the open tasks of open runs that have this name or type, by run and seq."""
        ...
