"""What a store must be able to do for event handlers: keep them, and what they have done about which message."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from msgspec import Struct

from engine.clock import Instant
from engine.model.event_handler import EventHandler
from engine.model.payload import JsonObject

#: The states of an execution (Conductor 4.12).
COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"
SKIPPED: Final = "SKIPPED"


class EventExecution(Struct, frozen=True, kw_only=True):
    """What one action of a handler has come to for one message; without an action, that its condition did not hold.

    ``key`` follows from handler, event, message and index, so that one of them is kept once.
    """

    key: str
    handler: str
    event: str
    message_id: str
    index: int
    action: str | None
    status: str
    output: JsonObject = {}
    at: Instant

    @property
    def id(self) -> str:
        """The id that Conductor's clients know."""
        return f"{self.message_id}_{self.index}"


class EventQuery(Struct, frozen=True, kw_only=True):
    """Which executions to list; empty fields match everything. Newest first."""

    handler: str | None = None
    event: str | None = None
    status: str | None = None
    start: int = 0
    size: int = 100


class EventStore(Protocol):
    """The part of a transaction that keeps event handlers."""

    def put_event_handler(self, handler: EventHandler, *, known: bool) -> bool:
        """Store a handler under its name; False, and nothing is stored, unless its name is ``known`` or not as told."""
        ...

    def event_handlers(self) -> tuple[EventHandler, ...]:
        """Return every handler, by name."""
        ...

    def drop_event_handler(self, name: str) -> bool:
        """Forget a handler; False when there was none."""
        ...

    def event_handlers_version(self) -> str:
        """Return a mark that differs once any handler was stored or forgotten."""
        ...

    def event_executions_known(self, keys: Collection[str]) -> set[str]:
        """Return those of these keys that are kept."""
        ...

    def record_event_executions(self, executions: Sequence[EventExecution]) -> None:
        """Keep executions; those whose key is there already are left as they are."""
        ...

    def event_executions(self, query: EventQuery) -> tuple[EventExecution, ...]:
        """Return the page of executions asked for."""
        ...

    def forget_event_executions(self, before: Instant) -> int:
        """Forget executions of before then, some thousand at a time; return how many there were."""
        ...
