"""Event handlers as they are kept: straight in the store, because they are no run's state."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import BadMessage, NotFound, Refused
from engine.handling.check import check_handler
from engine.model.event_handler import EventHandler
from engine.model.payload import Json
from engine.store.port import Store


def add_handlers(store: Store, documents: Sequence[Json]) -> None:
    """Keep new event handlers, all or none; raise ``Refused`` when there is one of such a name."""
    if not documents:
        raise BadMessage("The list of event handlers is empty.")
    handlers = [check_handler(each) for each in documents]
    with store.transaction() as tx:
        for handler in handlers:
            if not tx.put_event_handler(handler, known=False):
                raise Refused(f"An event handler {handler.name!r} exists already: replace it with PUT /api/event.")


def replace_handler(store: Store, document: Json) -> None:
    """Replace an event handler; raise ``NotFound`` when there is none of its name."""
    handler = check_handler(document)
    with store.transaction() as tx:
        stored = tx.put_event_handler(handler, known=True)
    if not stored:
        raise unknown(handler.name)


def forget_handler(store: Store, name: str) -> None:
    """Forget an event handler; raise ``NotFound`` when there is none of this name."""
    with store.transaction() as tx:
        known = tx.drop_event_handler(name)
    if not known:
        raise unknown(name)


def every_handler(store: Store) -> tuple[EventHandler, ...]:
    """Return every event handler."""
    with store.transaction() as tx:
        return tx.event_handlers()


def handlers_of(store: Store, event: str, *, active_only: bool) -> list[EventHandler]:
    """Return the handlers of one event."""
    return [each for each in every_handler(store) if each.event == event and (each.active or not active_only)]


def unknown(name: str) -> NotFound:
    """Return what is said of a handler that nobody has registered."""
    return NotFound(f"No event handler {name!r} is registered: 'baton event list' shows those there are.")
