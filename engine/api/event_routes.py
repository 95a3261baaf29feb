"""Routes under /api/event: event handlers, and what they have done (reference 5.5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from engine.api import event_handlers
from engine.api.body import RawBody, answer, document, done
from engine.clock import milliseconds
from engine.errors import BadMessage
from engine.model.payload import JsonObject
from engine.store.event_port import EventExecution, EventQuery
from engine.store.port import Store

#: Executions of one page.
_LARGEST_PAGE = 5_000


def event_routes(store: Store) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/event")
    _writing(router, store)
    _executions(router, store)
    _reading(router, store)
    return router


def _writing(router: APIRouter, store: Store) -> None:
    @router.post("")
    def create(body: RawBody) -> Response:
        """Keep a new event handler."""
        event_handlers.add_handler(store, document(body))
        return done()

    @router.put("")
    def update(body: RawBody) -> Response:
        """Replace an event handler."""
        event_handlers.replace_handler(store, document(body))
        return done()

    @router.delete("/{name}")
    def forget(name: str) -> Response:
        """Forget an event handler."""
        event_handlers.forget_handler(store, name)
        return done()


def _executions(router: APIRouter, store: Store) -> None:
    @router.get("/execution")
    def executions(
        handler: str | None = None,
        event: str | None = None,
        status: str | None = None,
        start: Annotated[int, Query(ge=0)] = 0,
        size: Annotated[int, Query(ge=1)] = 100,
    ) -> Response:
        """List what handlers have done, newest first."""
        if size > _LARGEST_PAGE:
            raise BadMessage(f"A page has at most {_LARGEST_PAGE:,} executions: ask for several.")
        query = EventQuery(handler=handler, event=event, status=status, start=start, size=size)
        with store.transaction() as tx:
            return answer([_execution_json(each) for each in tx.event_executions(query)])


def _reading(router: APIRouter, store: Store) -> None:
    @router.get("")
    def every_handler() -> Response:
        """List every event handler."""
        return answer([handler.to_json() for handler in event_handlers.every_handler(store)])

    @router.get("/handler/{name}")
    def one(name: str) -> Response:
        """Show an event handler."""
        for handler in event_handlers.every_handler(store):
            if handler.name == name:
                return answer(handler.to_json())
        raise event_handlers.unknown(name)

    @router.get("/{event:path}")
    def of_event(event: str, active_only: Annotated[bool, Query(alias="activeOnly")] = True) -> Response:
        """List the handlers of one event."""
        return answer(
            [handler.to_json() for handler in event_handlers.handlers_of(store, event, active_only=active_only)]
        )


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
