"""Event handlers by name, and what they have done about which message."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Text, cast, delete, select

from engine.clock import Instant
from engine.model.event_handler import EventHandler
from engine.store.batch import Batch
from engine.store.codec import decode, encode, storable
from engine.store.event_port import EventExecution, EventQuery
from engine.store.event_tables import event_execution, event_handler
from engine.store.schema import setting

#: The setting that counts changes of handlers.
_VERSION: Final = "event_handlers"

#: What those who store handlers take turns at.
_REGISTRATION: Final = "baton.event_handlers"

#: Executions forgotten with one statement.
_MOST_FORGOTTEN: Final = 5_000


class EventHandlers:
    """The part of a transaction that keeps event handlers."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def put_event_handler(self, handler: EventHandler, *, known: bool) -> bool:
        """See ``EventStore.put_event_handler``."""
        self._batch.take_turns(self._connection, _REGISTRATION)
        name = storable(handler.name)
        found = self._connection.scalar(select(event_handler.c.name).where(event_handler.c.name == name))
        if (found is not None) is not known:
            return False
        put = self._batch.put(event_handler, lambda given: {"body": given.body})
        self._connection.execute(put, {"name": name, "body": encode(handler.to_json())})
        self._count_handlers_change()
        return True

    def event_handlers(self) -> tuple[EventHandler, ...]:
        """See ``EventStore.event_handlers``."""
        rows = self._connection.execute(select(event_handler.c.name, event_handler.c.body))
        return tuple(EventHandler.model_validate(decode(body)) for _, body in sorted(rows, key=lambda row: row.name))

    def drop_event_handler(self, name: str) -> bool:
        """See ``EventStore.drop_event_handler``."""
        gone = self._connection.execute(delete(event_handler).where(event_handler.c.name == storable(name))).rowcount
        if gone:
            self._count_handlers_change()
        return gone > 0

    def event_handlers_version(self) -> str:
        """See ``EventStore.event_handlers_version``."""
        return self._connection.scalar(select(setting.c.value).where(setting.c.key == _VERSION)) or "0"

    def event_executions_known(self, keys: Collection[str]) -> set[str]:
        """See ``EventStore.event_executions_known``."""
        if not keys:
            return set()
        known = self._batch.among(event_execution.c.key, keys)
        return set(self._connection.scalars(select(event_execution.c.key).where(known)))

    def record_event_executions(self, executions: Sequence[EventExecution]) -> None:
        """See ``EventStore.record_event_executions``."""
        if executions:
            rows = [_row(each) for each in sorted(executions, key=lambda each: each.key)]
            self._connection.execute(self._batch.insert_missing(event_execution), rows)

    def event_executions(self, query: EventQuery) -> tuple[EventExecution, ...]:
        """See ``EventStore.event_executions``."""
        columns = event_execution.c
        wanted = select(event_execution)
        for column, value in (
            (columns.handler, query.handler),
            (columns.event, query.event),
            (columns.status, query.status),
        ):
            if value is not None:
                wanted = wanted.where(column == storable(value))
        page = wanted.order_by(columns.at.desc(), columns.key.desc()).offset(query.start).limit(query.size)
        return tuple(_execution(row) for row in self._connection.execute(page))

    def forget_event_executions(self, before: Instant) -> int:
        """See ``EventStore.forget_event_executions``."""
        columns = event_execution.c
        old = select(columns.key).where(columns.at < before).order_by(columns.at).limit(_MOST_FORGOTTEN)
        keys = list(self._connection.scalars(old))
        if keys:
            self._connection.execute(delete(event_execution).where(self._batch.among(columns.key, keys)))
        return len(keys)

    def _count_handlers_change(self) -> None:
        next_number = cast(cast(setting.c.value, BigInteger) + 1, Text)
        put = self._batch.put(setting, lambda _: {"value": next_number})
        self._connection.execute(put, {"key": _VERSION, "value": "1"})


def _row(execution: EventExecution) -> dict[str, Any]:
    return {
        "key": execution.key,
        "handler": storable(execution.handler),
        "event": storable(execution.event),
        "message_id": storable(execution.message_id),
        "number": execution.index,
        "action": execution.action,
        "status": execution.status,
        "output": encode(execution.output),
        "at": execution.at,
    }


def _execution(row: Any) -> EventExecution:
    return EventExecution(
        key=row.key,
        handler=row.handler,
        event=row.event,
        message_id=row.message_id,
        index=row.number,
        action=row.action,
        status=row.status,
        output=decode(row.output or "{}"),
        at=Instant(row.at),
    )
