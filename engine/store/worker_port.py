"""What a store must be able to do with what workers say beside results: lines of logs, and that they have polled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from engine.clock import Instant

#: Lines of one task's log that are shown, the newest ones.
MOST_LINES: Final = 10_000


class LogLine(Struct, frozen=True, kw_only=True):
    """What somebody wrote into the log of a task."""

    workflow_id: str
    seq: int
    text: str
    at: Instant


class LastPoll(Struct, frozen=True, kw_only=True):
    """Who has polled last for a type of task in a domain; the domain is empty where there is none."""

    task_type: str
    domain: str
    worker: str | None
    at: Instant


class WorkerNotes(Protocol):
    """The part of a transaction that keeps what workers say."""

    def has_task(self, workflow_id: str, seq: int) -> bool:
        """Return whether a run has a task of this number now."""
        ...

    def add_log_lines(self, lines: Sequence[LogLine]) -> None:
        """Append to the logs of tasks; they go with their runs."""
        ...

    def log_lines(self, workflow_id: str, seq: int, most: int = MOST_LINES) -> tuple[LogLine, ...]:
        """Return the newest lines of a task's log, oldest first."""
        ...

    def note_polls(self, polls: Sequence[LastPoll]) -> None:
        """Remember these in the place of earlier ones for the same type and domain."""
        ...

    def last_polls(self, task_type: str | None = None) -> tuple[LastPoll, ...]:
        """Return who has polled last, by type and domain; of one type, or of all."""
        ...

    def forget_polls(self, before: Instant) -> int:
        """Forget what was polled for the last time before then; return how many there were."""
        ...
