"""Everything that is wrong with an event handler, at once, each mistake with its JSON path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.errors import BadDefinition, BadMessage, Fault
from engine.expression.script import check_javascript
from engine.expression.template import references
from engine.handling.acting import ACTIONS
from engine.model.definition import read
from engine.model.event_handler import EventAction, EventHandler
from engine.model.payload import Json
from engine.wire.event_address import AMQP_QUEUE, read_listened
from engine.wire.message import is_engines_own

#: Characters of a name and of an event: names are keys of indexes in the database.
_LONGEST_NAME: Final = 250
_LONGEST_EVENT: Final = 512

#: Actions of one handler; each is carried out for every message.
_MOST_ACTIONS: Final = 100

_EVALUATORS: Final = ("javascript", "graaljs", "value-param")


def check_handler(document: Json) -> EventHandler:
    """Read an event handler; raises ``BadDefinition`` with every mistake in it."""
    name = document.get("name") if isinstance(document, dict) else None
    named = isinstance(name, str) and name.strip()
    subject = f"Event handler {str(name)[:_LONGEST_NAME]!r}" if named else "The event handler"
    handler, shape = read(EventHandler, document, subject)
    shown = [fault.path for fault in shape]
    found = [fault for fault in _faults(handler) if not any(fault.path.startswith(path) for path in shown)]
    if faults := [*shape, *found]:
        raise BadDefinition(subject, faults)
    return handler


def _faults(handler: EventHandler) -> Iterator[Fault]:
    if not handler.name.strip():
        yield Fault("name", "an event handler needs a name")
    elif len(handler.name) > _LONGEST_NAME:
        yield Fault("name", f"has {len(handler.name):,} characters, a name may have {_LONGEST_NAME}")
    elif not handler.name.isprintable():
        yield Fault("name", "contains a character that no name may have")
    yield from _event_faults(handler.event)
    yield from _condition_faults(handler)
    if not handler.actions:
        yield Fault("actions", "an event handler needs at least one action")
    elif len(handler.actions) > _MOST_ACTIONS:
        yield Fault("actions", f"there are {len(handler.actions)}: a handler may have {_MOST_ACTIONS}")
    for number, action in enumerate(handler.actions):
        yield from _action_faults(f"actions[{number}]", action)


def _event_faults(event: str) -> Iterator[Fault]:
    if not event.strip():
        yield Fault("event", "an event handler needs an event, for example amqp_queue:orders")
        return
    if len(event) > _LONGEST_EVENT or not event.isprintable():
        yield Fault("event", f"must be printable and have at most {_LONGEST_EVENT} characters")
        return
    try:
        address = read_listened(event)
    except BadMessage as error:
        yield Fault("event", str(error))
        return
    if address.kind == AMQP_QUEUE and is_engines_own(address.name):
        yield Fault("event", f"the queue {address.name} carries the engine's own messages: they are not for handlers")


def _condition_faults(handler: EventHandler) -> Iterator[Fault]:
    kind = handler.evaluator_type or "javascript"
    if kind not in _EVALUATORS:
        yield Fault("evaluatorType", f"must be one of {', '.join(_EVALUATORS)}, not {kind!r}")
    elif kind != "value-param" and (handler.condition or "").strip():
        complaint = check_javascript(str(handler.condition))
        if complaint is not None:
            yield Fault("condition", f"not valid JavaScript: {complaint}")


def _action_faults(path: str, action: EventAction) -> Iterator[Fault]:
    if action.action not in ACTIONS:
        known = ", ".join(ACTIONS)
        yield Fault(f"{path}.action", f"must be one of {known}, not {action.action!r}")
        return
    details = getattr(action, action.action)
    if details is None:
        yield Fault(f"{path}.{action.action}", f"is missing: it says what {action.action} is about")
        return
    for field, what in ACTIONS[action.action].lacks(details):
        yield Fault(f"{path}.{action.action}.{field}", what)
    for reference in references(details.to_json(), f"{path}.{action.action}"):
        if reference.fault is not None:
            yield Fault(reference.path, f"${{{reference.text}}} is not valid: {reference.fault}")
