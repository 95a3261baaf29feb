"""Event handlers in a store that keeps everything in this process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.clock import Instant
from engine.model.event_handler import EventHandler
from engine.store.codec import storable
from engine.store.event_port import EventExecution, EventQuery

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables


class MemoryEvents:
    """The part of a transaction that keeps event handlers."""

    _tables: Tables
    _journal: Journal

    def put_event_handler(self, handler: EventHandler, *, known: bool) -> bool:
        """See ``EventStore.put_event_handler``."""
        if (handler.name in self._tables.event_handlers) is not known:
            return False
        self._journal.put(self._tables.event_handlers, handler.name, handler)
        self._count_handlers_change()
        return True

    def event_handlers(self) -> tuple[EventHandler, ...]:
        """See ``EventStore.event_handlers``."""
        return tuple(handler for _, handler in sorted(self._tables.event_handlers.items()))

    def drop_event_handler(self, name: str) -> bool:
        """See ``EventStore.drop_event_handler``."""
        self._count_handlers_change()
        return self._journal.drop(self._tables.event_handlers, name)

    def event_handlers_version(self) -> str:
        """See ``EventStore.event_handlers_version``."""
        return str(self._tables.catalog.get("event_handlers", 0))

    def event_executions_known(self, keys: Collection[str]) -> set[str]:
        """See ``EventStore.event_executions_known``."""
        return {key for key in keys if key in self._tables.event_executions}

    def record_event_executions(self, executions: Sequence[EventExecution]) -> None:
        """See ``EventStore.record_event_executions``."""
        for each in executions:
            if each.key not in self._tables.event_executions:
                kept = replace(each, event=storable(each.event), message_id=storable(each.message_id))
                self._journal.put(self._tables.event_executions, each.key, kept)

    def event_executions(self, query: EventQuery) -> tuple[EventExecution, ...]:
        """See ``EventStore.event_executions``."""
        wanted = (("handler", query.handler), ("event", query.event), ("status", query.status))
        found = [
            each
            for each in self._tables.event_executions.values()
            if all(value is None or getattr(each, name) == value for name, value in wanted)
        ]
        found.sort(key=lambda each: (each.at, each.key), reverse=True)
        return tuple(found[query.start : query.start + query.size])

    def forget_event_executions(self, before: Instant) -> int:
        """See ``EventStore.forget_event_executions``."""
        old = [key for key, each in self._tables.event_executions.items() if each.at < before]
        for key in old:
            self._journal.drop(self._tables.event_executions, key)
        return len(old)

    def _count_handlers_change(self) -> None:
        catalog = self._tables.catalog
        self._journal.put(catalog, "event_handlers", catalog.get("event_handlers", 0) + 1)
