"""What workers say beside results, in a store that keeps everything in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.clock import Instant
from engine.store.worker_port import MOST_LINES, LastPoll, LogLine

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables


class MemoryWorkerNotes:
    """The part of a transaction that keeps what workers say."""

    _tables: Tables
    _journal: Journal

    def has_task(self, workflow_id: str, seq: int) -> bool:
        """See ``WorkerNotes.has_task``."""
        return seq in self._tables.tasks.get(workflow_id, {})

    def add_log_lines(self, lines: Sequence[LogLine]) -> None:
        """See ``WorkerNotes.add_log_lines``."""
        for each in lines:
            before = self._tables.log_lines.get(each.workflow_id, ())
            self._journal.put(self._tables.log_lines, each.workflow_id, (*before, each))

    def log_lines(self, workflow_id: str, seq: int, most: int = MOST_LINES) -> tuple[LogLine, ...]:
        """See ``WorkerNotes.log_lines``."""
        return tuple(each for each in self._tables.log_lines.get(workflow_id, ()) if each.seq == seq)[-most:]

    def note_polls(self, polls: Sequence[LastPoll]) -> None:
        """See ``WorkerNotes.note_polls``."""
        for each in polls:
            known = self._tables.last_polls.get((each.task_type, each.domain))
            if known is None or known.at <= each.at:
                self._journal.put(self._tables.last_polls, (each.task_type, each.domain), each)

    def last_polls(self, task_type: str | None = None) -> tuple[LastPoll, ...]:
        """See ``WorkerNotes.last_polls``."""
        found = sorted(self._tables.last_polls.items())
        return tuple(each for (kind, _), each in found if task_type in (None, kind))

    def forget_polls(self, before: Instant) -> int:
        """See ``WorkerNotes.forget_polls``."""
        gone = [key for key, each in self._tables.last_polls.items() if each.at < before]
        for key in gone:
            self._journal.drop(self._tables.last_polls, key)
        return len(gone)
