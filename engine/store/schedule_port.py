"""What a store must be able to do for schedules: keep them, find what is due, and remember what became of each date."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from engine.clock import Instant
from engine.model.payload import JsonObject
from engine.model.schedule import Progress, ScheduleExecution
from engine.model.status import WorkflowStatus
from engine.search.condition import EVERYTHING, Condition
from engine.search.order import Order


class ScheduleRow(Struct, frozen=True):
    """A schedule as written, and how far it has come."""

    name: str
    document: JsonObject
    progress: Progress


class ExecutionQuery(Struct, frozen=True, kw_only=True):
    """Which executions to list, by default all, the latest date first."""

    condition: Condition = EVERYTHING
    order: tuple[Order, ...] = ()
    start: int = 0
    size: int = 100


class ScheduleTransaction(Protocol):
    """The part of a transaction that concerns schedules."""

    def put_schedule(self, row: ScheduleRow) -> None:
        """Store a schedule, in place of one of the same name."""
        ...

    def put_progress(self, name: str, progress: Progress) -> None:
        """Write down how far a schedule has come."""
        ...

    def schedule(self, name: str) -> ScheduleRow | None:
        """Return a schedule; nobody else changes it until the transaction ends."""
        ...

    def schedules(self) -> tuple[ScheduleRow, ...]:
        """Return every schedule, by name."""
        ...

    def drop_schedule(self, name: str) -> bool:
        """Forget a schedule and what became of its dates; False when there was none."""
        ...

    def due_schedules(self, now: Instant, limit: int) -> tuple[ScheduleRow, ...]:
        """Return schedules whose ``wake_at`` has come, the earliest first; nobody else gets them meanwhile.

        Those locked by somebody else are skipped.
        """
        ...

    def next_schedule(self) -> Instant | None:
        """Return the earliest ``wake_at`` of any schedule, or None."""
        ...

    def put_executions(self, executions: Sequence[ScheduleExecution]) -> None:
        """Store what became of dates; one that is there already gets another state, reason and ``sent_at``."""
        ...

    def unseen_executions(self, limit: int) -> tuple[ScheduleExecution, ...]:
        """Return executions whose run was asked for and not seen yet, the one asked for longest ago first.

        Those locked by somebody else are skipped.
        """
        ...

    def executions(self, query: ExecutionQuery) -> tuple[int, tuple[ScheduleExecution, ...]]:
        """Return how many executions match, and the page asked for."""
        ...

    def trim_executions(self, schedule: str, keep: int) -> None:
        """Forget all but the latest executions of a schedule; those not seen yet stay."""
        ...

    def run_statuses(self, workflow_ids: Collection[str]) -> dict[str, WorkflowStatus]:
        """Return how these runs stand; unknown ids are left out."""
        ...
