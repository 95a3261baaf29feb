"""Routes under /api/event: event handlers, and what they have done (reference 5.5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from engine.api import event_executions, event_handlers
from engine.api.body import RawBody, answer, document, done
from engine.clock import Clock, Instant, after
from engine.store.event_port import EventQuery
from engine.store.port import Store

#: What browsers and Node say of requests that a script makes, not somebody who looks at an address.
_FETCHED_BY_SCRIPTS = ("cors", "same-origin", "no-cors")


def event_routes(store: Store, clock: Clock) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/event")
    _writing(router, store)
    _executions(router, store, clock)
    _reading(router, store)
    return router


def _writing(router: APIRouter, store: Store) -> None:
    @router.post("")
    def create(body: RawBody) -> Response:
        """Keep a new event handler, or a list of them."""
        given = document(body)
        # Orkes' clients send a list, Conductor's a single one.
        event_handlers.add_handlers(store, given if isinstance(given, list) else [given])
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


def _executions(router: APIRouter, store: Store, clock: Clock) -> None:
    @router.get("/execution")
    def executions(
        handler: str | None = None,
        event: str | None = None,
        status: str | None = None,
        start: Annotated[int, Query(ge=0)] = 0,
        size: Annotated[int, Query(ge=1)] = 100,
        fetched: Annotated[str | None, Header(alias="Sec-Fetch-Mode", include_in_schema=False)] = None,
    ) -> Response:
        """List what handlers have done, newest first.

        Scripts that fetch it (Conductor's newer UI, Orkes' JavaScript SDK) get `{totalHits, results}`: the handlers,
        with the numbers of their messages and actions.
        """
        if fetched in _FETCHED_BY_SCRIPTS:
            return answer(event_executions.handlers_json(store))
        query = EventQuery(handler=handler, event=event, status=status, start=start, size=size)
        return answer(event_executions.executions_json(store, query))

    @router.get("/execution/{handler}")
    def of_handler(handler: str, within_ms: Annotated[int, Query(alias="from")] = 0) -> Response:
        """List what one handler has done, newest first; `from` says in how many milliseconds until now."""
        since = after(clock.now(), -within_ms / 1_000) if within_ms > 0 else Instant(0)
        return answer(event_executions.executions_of_handler_json(store, handler, since))


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
