"""Runs as they were, in memory: the part of a transaction that ``store.history`` is in a database."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import msgspec

from engine.clock import Instant
from engine.model.earlier import EarlierRound
from engine.store.history_port import RemovedRun

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables


class MemoryHistory:
    """Keeps rounds and removed runs in the tables of a ``MemoryStore``."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        self._tables = tables
        self._journal = journal

    def put_aside(self, rounds: Iterable[EarlierRound]) -> None:
        """Keep each round, and take its tasks from those that count."""
        for each in rounds:
            run = each.workflow.id
            kept = msgspec.structs.replace(each, workflow=msgspec.structs.replace(each.workflow, unconfirmed=()))
            self._journal.put(self._tables.earlier, run, (*self._tables.earlier.get(run, ()), kept))
            for gone in each.tasks:
                self._journal.drop(self._tables.tasks[run], gone.seq)

    def earlier_rounds(self, workflow_id: str) -> tuple[EarlierRound, ...]:
        """See ``HistoryTransaction.earlier_rounds``."""
        return self._tables.earlier.get(workflow_id, ())

    def forget(self, workflow_id: str, seqs: Collection[int]) -> None:
        """Drop these tasks of a run for good, and what stands in their logs."""
        tables, journal = self._tables, self._journal
        for seq in seqs:
            journal.drop(tables.tasks[workflow_id], seq)
        lines = tables.log_lines.get(workflow_id, ())
        left = tuple(each for each in lines if each.seq not in seqs)
        if left != lines:
            journal.put(tables.log_lines, workflow_id, left)

    def remove(self, removed: Iterable[RemovedRun]) -> None:
        """Drop all rows of these runs, and remember that they were removed."""
        tables, journal = self._tables, self._journal
        for each in removed:
            run = each.workflow_id
            journal.drop(tables.tasks, run)
            journal.drop(tables.earlier, run)
            journal.drop(tables.workflows, run)
            journal.drop(tables.rung_at, run)
            journal.drop(tables.log_lines, run)
            for key, line in list(tables.request_log.items()):
                if line.request.workflow_id == each.workflow_id:
                    journal.drop(tables.request_log, key)
            journal.put(tables.removed, each.workflow_id, each)

    def removed_run(self, workflow_id: str) -> RemovedRun | None:
        """See ``HistoryTransaction.removed_run``."""
        return self._tables.removed.get(workflow_id)

    def ended_before(self, moment: Instant, limit: int) -> tuple[str, ...]:
        """See ``HistoryTransaction.ended_before``."""
        runs = self._tables.workflows
        old = (each for each in runs.values() if each.status.is_terminal and each.ended_at < moment)
        alone = sorted((each for each in old if each.parent_id not in runs), key=lambda each: each.created_at)
        return tuple(each.id for each in alone[:limit])

    def forget_archives(self, before: Instant, limit: int) -> int:
        """See ``HistoryTransaction.forget_archives``."""
        removed = self._tables.removed
        old = [each for each in removed.values() if each.at < before and each.document is not None]
        for each in sorted(old, key=lambda each: each.at)[:limit]:
            self._journal.put(removed, each.workflow_id, msgspec.structs.replace(each, document=None))
        return min(len(old), limit)
