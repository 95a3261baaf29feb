"""What event handlers have done, in the shapes that clients read it in."""

from __future__ import annotations

from collections import Counter

from engine.api.event_handlers import every_handler
from engine.clock import Instant, milliseconds
from engine.errors import BadMessage
from engine.model.payload import Json, JsonObject
from engine.store.event_port import EventExecution, EventQuery
from engine.store.port import Store

#: Executions of one page, and those that are counted: a monitor is to show what goes on, not to add up a week.
LARGEST_PAGE = 5_000


def executions_json(store: Store, query: EventQuery) -> list[JsonObject]:
    """Return a page of executions as Conductor prints them, newest first."""
    if query.size > LARGEST_PAGE:
        raise BadMessage(f"A page has at most {LARGEST_PAGE:,} executions: ask for several.")
    with store.transaction() as tx:
        return [_execution_json(each) for each in tx.event_executions(query)]


def handlers_json(store: Store) -> JsonObject:
    """Return every handler with the numbers of its messages and actions among the newest executions."""
    with store.transaction() as tx:
        found = tx.event_executions(EventQuery(size=LARGEST_PAGE))
    actions = Counter(each.handler for each in found if each.action is not None)
    messages = Counter(handler for handler, _ in {(each.handler, each.message_id) for each in found})
    results: list[Json] = [
        {
            "name": handler.name,
            "event": handler.event,
            "active": handler.active,
            "numberOfMessages": messages[handler.name],
            "numberOfActions": actions[handler.name],
        }
        for handler in every_handler(store)
    ]
    return {"totalHits": len(results), "results": results}


def executions_of_handler_json(store: Store, handler: str, since: Instant) -> list[JsonObject]:
    """Return what a handler has done since a moment, newest first, with all fields that a monitor shows.

    Payloads are empty: messages are not kept.
    """
    with store.transaction() as tx:
        found = tx.event_executions(EventQuery(handler=handler, size=LARGEST_PAGE))
    return [
        {
            **_execution_json(each),
            "payload": {},
            "fullMessagePayload": {},
            "statusDescription": each.output.get("error"),
        }
        for each in found
        if each.at >= since
    ]


def _execution_json(execution: EventExecution) -> JsonObject:
    """Return an execution as Conductor prints it; ``action`` is null where the condition did not hold."""
    return {
        "id": execution.id,
        "messageId": execution.message_id,
        "name": execution.handler,
        "event": execution.event,
        "created": milliseconds(execution.at),
        "status": execution.status,
        "action": execution.action,
        "output": execution.output,
    }
