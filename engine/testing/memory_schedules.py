"""Schedules in a store that keeps everything in this process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.clock import Instant
from engine.model.execution import NEVER
from engine.model.schedule import ExecutionState, Progress, ScheduleExecution
from engine.model.status import WorkflowStatus
from engine.search.condition import Matches
from engine.search.predicate import Values, holds, in_order
from engine.search.subject import DATE_SCHEDULE
from engine.store.schedule_port import ExecutionQuery, ScheduleRow

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables


class MemorySchedules:
    """The part of a transaction that keeps schedules."""

    _tables: Tables
    _journal: Journal

    def put_schedule(self, row: ScheduleRow) -> None:
        """See ``Transaction.put_schedule``."""
        self._journal.put(self._tables.schedules, row.name, row)

    def put_progress(self, name: str, progress: Progress) -> None:
        """See ``Transaction.put_progress``."""
        known = self._tables.schedules.get(name)
        if known is not None:
            self.put_schedule(replace(known, progress=progress))

    def schedule(self, name: str) -> ScheduleRow | None:
        """See ``Transaction.schedule``."""
        return self._tables.schedules.get(name)

    def schedules(self) -> tuple[ScheduleRow, ...]:
        """See ``Transaction.schedules``."""
        return tuple(row for _, row in sorted(self._tables.schedules.items()))

    def drop_schedule(self, name: str) -> bool:
        """See ``Transaction.drop_schedule``."""
        for key in [key for key, each in self._tables.schedule_executions.items() if each.schedule == name]:
            self._journal.drop(self._tables.schedule_executions, key)
        return self._journal.drop(self._tables.schedules, name)

    def due_schedules(self, now: Instant, limit: int) -> tuple[ScheduleRow, ...]:
        """See ``Transaction.due_schedules``."""
        due = (row for row in self._tables.schedules.values() if NEVER < row.progress.wake_at <= now)
        return tuple(sorted(due, key=lambda row: row.progress.wake_at)[:limit])

    def next_schedule(self) -> Instant | None:
        """See ``Transaction.next_schedule``."""
        dates = (row.progress.wake_at for row in self._tables.schedules.values())
        return min((date for date in dates if date != NEVER), default=None)

    def put_executions(self, executions: Sequence[ScheduleExecution]) -> None:
        """See ``Transaction.put_executions``."""
        table = self._tables.schedule_executions
        for each in executions:
            known = table.get(each.id, each)
            changed = replace(known, state=each.state, reason=each.reason, sent_at=each.sent_at)
            self._journal.put(table, each.id, changed)

    def unseen_executions(self, limit: int) -> tuple[ScheduleExecution, ...]:
        """See ``Transaction.unseen_executions``."""
        every = self._tables.schedule_executions.values()
        unseen = (each for each in every if each.state is ExecutionState.POLLED)
        return tuple(sorted(unseen, key=lambda each: each.sent_at)[:limit])

    def executions(self, query: ExecutionQuery) -> tuple[int, tuple[ScheduleExecution, ...]]:
        """See ``Transaction.executions``."""
        every = self._tables.schedule_executions.values()
        found = [each for each in every if holds(query.condition, _values(each))]
        found.sort(key=lambda each: (each.at, each.id), reverse=True)
        in_order(found, query.order, _values)
        return len(found), tuple(found[query.start : query.start + query.size])

    def trim_executions(self, schedule: str, keep: int) -> None:
        """See ``Transaction.trim_executions``."""
        _, found = self.executions(ExecutionQuery(condition=Matches(DATE_SCHEDULE, (schedule,)), size=2**31))
        for each in found[keep:]:
            if each.state is not ExecutionState.POLLED:
                self._journal.drop(self._tables.schedule_executions, each.id)

    def run_statuses(self, workflow_ids: Collection[str]) -> dict[str, WorkflowStatus]:
        """See ``Transaction.run_statuses``."""
        runs = self._tables.workflows
        return {each: runs[each].status for each in workflow_ids if each in runs}


def _values(execution: ScheduleExecution) -> Values:
    return lambda field: getattr(execution, field.key.partition(".")[2])
