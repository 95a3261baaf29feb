"""Whether a record meets a condition: what a database does in SQL, for records in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.search.condition import (
    All,
    Condition,
    Contains,
    Field,
    HasTask,
    Kind,
    Matches,
    Not,
    Pattern,
    Present,
    Some,
    Within,
)
from engine.search.order import Order
from engine.search.pattern import contains, has_form, in_json

#: Returns a record's value of a field: a text or None, a number, a payload's JSON text or a list of texts.
Values = Callable[[Field], Any]


def holds(condition: Condition, values: Values, tasks: Callable[[], Sequence[Values]] = tuple) -> bool:
    """Tell whether a condition holds of a record; ``tasks`` returns those of a run."""
    match condition:
        case All(parts):
            return all(holds(part, values, tasks) for part in parts)
        case Some(parts):
            return any(holds(part, values, tasks) for part in parts)
        case Not(part):
            return not holds(part, values, tasks)
        case HasTask(inner):
            return any(holds(inner, each) for each in tasks())
        case Matches(field, texts, patterns):
            given = values(field)
            found = given if field.kind is Kind.LIST else (given or "",)
            return any(text in texts or any(has_form(text, each) for each in patterns) for text in found if text)
        case Within(field, low, high):
            number = values(field)
            return (low is None or number >= low) and (high is None or number < high)
        case Present(field):
            return bool(values(field))
        case Contains(fields, pattern):
            return any(_has(values(field), field, pattern) for field in fields)


def _has(value: Any, field: Field, pattern: Pattern) -> bool:
    if field.kind is Kind.LIST:
        return any(contains(text, pattern) for text in value)
    return contains(value or "", in_json(pattern) if field.kind is Kind.PAYLOAD else pattern)


def in_order(records: list[Any], order: Sequence[Order], values: Callable[[Any], Values]) -> None:
    """Sort records in place; what is equal stays as it was."""
    for each in reversed(order):
        field = each.field
        records.sort(key=lambda record, field=field: values(record)(field) or _least(field), reverse=each.descending)  # type: ignore[misc]


def _least(field: Field) -> Any:
    return "" if field.kind in (Kind.TEXT, Kind.CHOICE) else 0
