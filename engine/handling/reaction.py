"""What an event handler makes of a message: nothing, or one work for each of its actions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from engine.errors import BadExpression, BadMessage, ScriptLimitExceeded
from engine.expression.budget import Budget
from engine.expression.script import evaluate_javascript, is_true
from engine.expression.template import substitute
from engine.handling.acting import ACTIONS, Cause, Work
from engine.model.event_handler import EventAction, EventHandler
from engine.model.payload import Json
from engine.wire.start_message import derived_id


class Occurrence(Struct, frozen=True, kw_only=True):
    """A message that has arrived at an event."""

    message_id: str
    body: bytes


class Surroundings(Struct, frozen=True, kw_only=True):
    """What handlers may read beside the message, and how much a condition and a message may take."""

    environment: Mapping[str, Json] = {}
    script_seconds: float = 0.05
    script_bytes: int = 32 * 1024 * 1024
    most_bytes: int = 10 * 1024 * 1024


class Act(Struct, frozen=True, kw_only=True):
    """One action of one handler for one message: its work, or why there is none."""

    id: str
    index: int
    action: str
    work: Work | None = None
    fault: str | None = None


class Reaction(Struct, frozen=True, kw_only=True):
    """What a handler does about a message; ``skipped`` when its condition does not hold."""

    skipped: bool = False
    acts: tuple[Act, ...] = ()


def act_id(handler: str, event: str, message_id: str, index: int) -> str:
    """Return the id of an act: the same whenever the message is delivered again."""
    return derived_id("event", handler, event, message_id, str(index))


def react(
    handler: EventHandler, occurrence: Occurrence, around: Surroundings, only: Collection[int] | None = None
) -> Reaction:
    """Return what ``handler`` does about a message; only the actions with these numbers, where some are named.

    Never raises: what cannot be evaluated is an act with a fault.
    """
    chosen = [(index, action) for index, action in enumerate(handler.actions) if only is None or index in only]
    try:
        payload = _payload(occurrence.body, around.most_bytes)
        expanded = _expanded(payload)
        if only is None and not _holds(handler, expanded, around):
            return Reaction(skipped=True)
    except (BadMessage, BadExpression) as error:
        return Reaction(acts=tuple(_act(handler, occurrence, index, each, str(error)) for index, each in chosen))
    except RecursionError:
        deep = "The message is nested too deeply: flatten it."
        return Reaction(acts=tuple(_act(handler, occurrence, index, each, deep) for index, each in chosen))
    return Reaction(
        acts=tuple(
            _acted(handler, occurrence, index, each, expanded if each.expand_inline_json else payload, around)
            for index, each in chosen
        )
    )


def _act(
    handler: EventHandler,
    occurrence: Occurrence,
    index: int,
    action: EventAction,
    fault: str | None,
    work: Work | None = None,
) -> Act:
    identity = act_id(handler.name, handler.event, occurrence.message_id, index)
    return Act(id=identity, index=index, action=action.action, work=work, fault=fault)


def _acted(
    handler: EventHandler,
    occurrence: Occurrence,
    index: int,
    action: EventAction,
    payload: Json,
    around: Surroundings,
) -> Act:
    budget = Budget()
    cause = Cause(
        act_id=act_id(handler.name, handler.event, occurrence.message_id, index),
        handler=handler.name,
        event=handler.event,
        message_id=occurrence.message_id,
        payload=payload,
        fill=lambda value: substitute(value, payload, environment=around.environment, budget=budget),
    )
    try:
        work = ACTIONS[action.action].work(getattr(action, action.action), cause)
    except (BadMessage, BadExpression) as error:
        return _act(handler, occurrence, index, action, str(error))
    return _act(handler, occurrence, index, action, None, work)


def _payload(body: bytes, most_bytes: int) -> Json:
    """Return what a message holds: JSON if it is that, else its text."""
    if len(body) > most_bytes:
        raise BadMessage(
            f"The message has {len(body):,} bytes, the limit is {most_bytes:,}: send the address of the data instead"
        )
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return body.decode("utf-8", "replace")


#: What a text begins with that may be an object or a list; a text of digits stays one.
_INLINE: Final = ("{", "[")


def _expanded(value: Json) -> Json:
    """Return a payload in which texts that are JSON objects or lists have become those."""
    if isinstance(value, str) and value.lstrip().startswith(_INLINE):
        try:
            return _expanded(msgspec.json.decode(value))
        except (msgspec.MsgspecError, ValueError):
            return value
    if isinstance(value, dict):
        return {key: _expanded(item) for key, item in value.items()}
    return [_expanded(item) for item in value] if isinstance(value, list) else value


def _holds(handler: EventHandler, payload: Json, around: Surroundings) -> bool:
    condition = (handler.condition or "").strip()
    if not condition:
        return True
    if handler.evaluator_type == "value-param":
        return is_true(payload.get(condition)) if isinstance(payload, Mapping) else False
    try:
        answer = evaluate_javascript(
            condition,
            {"$": payload},
            time_limit_seconds=around.script_seconds,
            memory_limit_bytes=around.script_bytes,
        )
    except ScriptLimitExceeded as error:
        raise BadMessage(f"The condition is too much work: {error}") from None
    except BadExpression as error:
        raise BadMessage(f"The condition cannot be evaluated: {error}") from None
    return is_true(answer)
