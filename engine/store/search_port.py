"""What a store must be able to do when people search: find runs and tasks, within a limit of time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Protocol

from msgspec import Struct

from engine.clock import Instant
from engine.model.execution import Task, Workflow
from engine.search.condition import EVERYTHING, Condition
from engine.search.order import Order

#: So many matches are counted, and put into an order other than that of their beginning; as many as Elasticsearch
#: counts by default. Counting a million would take longer than finding the page that somebody wants to see.
MOST_COUNTED: Final = 10_000


class Query(Struct, frozen=True, kw_only=True):
    """What is searched for, and which page of it; by default the newest runs, and the newest tasks of those, first."""

    condition: Condition = EVERYTHING
    order: tuple[Order, ...] = ()
    start: int = 0
    size: int = 100
    #: How long to look through what no index leads to.
    seconds: float = 2.0


class Found(Struct, frozen=True, kw_only=True):
    """How much matches, and a page of it."""

    total: int
    #: There are more than ``total``, or may be.
    at_least: bool = False
    #: Only runs that began at this moment or later were looked at: time was up, or there were too many to be sorted.
    back_to: Instant | None = None
    runs: Mapping[str, Workflow] = {}


class FoundRuns(Found, frozen=True, kw_only=True):
    """Runs in their order, without their tasks."""


class FoundTasks(Found, frozen=True, kw_only=True):
    """Tasks in their order; ``runs`` are those that they belong to."""

    tasks: tuple[Task, ...] = ()


class Searching(Protocol):
    """The part of a transaction that people search with; what is kept outside of its row is neither read nor found."""

    def search_runs(self, query: Query) -> FoundRuns:
        """Return the runs that a condition on runs holds of."""
        ...

    def search_tasks(self, query: Query) -> FoundTasks:
        """Return the tasks that a condition on tasks and their runs holds of."""
        ...

    def run_ids(self, condition: Condition, limit: int) -> tuple[str, ...]:
        """Return the ids of the newest runs that a condition holds of, the newest first."""
        ...

    def run(self, workflow_id: str) -> Workflow | None:
        """Return a run's record alone."""
        ...

    def last_run_by_key(self, name: str, key: str) -> Workflow | None:
        """Return the record of the newest run of a workflow that was started by an idempotency key."""
        ...

    def task_page(self, workflow_id: str, statuses: Collection[str], start: int, size: int) -> tuple[int, list[Task]]:
        """Return how many tasks of a run have one of these statuses, or any, and a page of them in the order of seq."""
        ...

    def tasks_by_seq(self, workflow_id: str, seqs: Collection[int], *, whole: bool = True) -> list[Task]:
        """Return these tasks of a run, in the order of seq, with what is kept outside of their rows.

        Without ``whole``, open loops lack what they leave to the rows of their iterations, which are many.
        """
        ...
