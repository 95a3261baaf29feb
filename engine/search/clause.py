"""One clause of a query as a condition: a field compared with values, by what kind of field it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from engine.clock import LATEST, MILLISECOND, SECOND
from engine.errors import BadMessage
from engine.search.condition import (
    Condition,
    Contains,
    Field,
    Kind,
    Matches,
    Pattern,
    Present,
    Some,
    Wild,
    Within,
    opposite,
)
from engine.search.pattern import has_form, plain, read_pattern

#: Wildcards in one value: each multiplies the ways in which a database may have to try it.
_MOST_WILDCARDS: Final = 8

#: Not more digits than a column can hold.
_DIGITS: Final = re.compile(r"[+-]?[0-9]{1,18}")

#: A moment is a number of milliseconds, or begins with a date; it may go on with a time and a zone.
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Comparison(Enum):
    """How a field is compared."""

    EQUALS = "="
    DIFFERS = "!="
    LESS = "<"
    GREATER = ">"
    AT_MOST = "<="
    AT_LEAST = ">="
    IN = "IN"
    BETWEEN = "BETWEEN"
    STARTS_WITH = "STARTS_WITH"


_OF_NUMBERS: Final = frozenset(Comparison) - {Comparison.STARTS_WITH}
_OF_TEXTS: Final = frozenset({Comparison.EQUALS, Comparison.DIFFERS, Comparison.IN, Comparison.STARTS_WITH})


def clause(name: str, field: Field, comparison: Comparison, values: tuple[str, ...]) -> Condition:
    """Return what a clause asks for; raise ``BadMessage`` where the field cannot be asked that.

    ``values`` are as written, with their wildcards and backslashes.
    """
    is_text = field.kind not in _UNITS
    if comparison not in (_OF_TEXTS if is_text else _OF_NUMBERS):
        may_be = ", ".join(each.value for each in Comparison if each in (_OF_TEXTS if is_text else _OF_NUMBERS))
        raise BadMessage(f"{name} cannot be compared with {comparison.value}: use one of {may_be}.")
    patterns = [_pattern(name, value) for value in values]
    if comparison is Comparison.STARTS_WITH:
        patterns = [(*pattern, Wild.MANY) for pattern in patterns]
    if comparison is Comparison.DIFFERS:
        return opposite(clause(name, field, Comparison.EQUALS, values))
    if is_text:
        return _TEXTS[field.kind](name, field, patterns)
    spans = [_span(name, field, pattern) for pattern in patterns]
    return _compared(field, comparison, spans)


def _pattern(name: str, value: str) -> Pattern:
    pattern = read_pattern(value)
    if sum(isinstance(piece, Wild) for piece in pattern) > _MOST_WILDCARDS:
        raise BadMessage(f"The value {value[:50]!r} of {name} has more than {_MOST_WILDCARDS} wildcards.")
    return pattern


def _texts(name: str, field: Field, patterns: list[Pattern]) -> Condition:
    """Return that a text is one of these; empty is the same as absent."""
    texts = [text for pattern in patterns if (text := plain(pattern)) is not None]
    parts: list[Condition] = []
    if "" in texts:
        parts.append(opposite(Present(field)))
    if (Wild.MANY,) in patterns:
        parts.append(Present(field))
    some = tuple(dict.fromkeys(text for text in texts if text))
    forms = tuple(dict.fromkeys(each for each in patterns if plain(each) is None and each != (Wild.MANY,)))
    if some or forms:
        parts.append(Matches(field, some, forms))
    return parts[0] if len(parts) == 1 else Some(tuple(parts))


def _choices(name: str, field: Field, patterns: list[Pattern]) -> Condition:
    found: list[str] = []
    for pattern in patterns:
        capitals = tuple(piece.upper() if isinstance(piece, str) else piece for piece in pattern)
        fitting = [choice for choice in field.choices if has_form(choice, capitals)]
        if not fitting:
            written = "".join(piece if isinstance(piece, str) else piece.value for piece in pattern)
            raise BadMessage(f"There is no {name} {written[:50]!r}: use one of {', '.join(field.choices)}.")
        found += fitting
    return Matches(field, tuple(dict.fromkeys(found)))


def _elements(name: str, field: Field, patterns: list[Pattern]) -> Condition:
    """Return that one of a list's texts is one of these; databases look for it in the list's JSON text."""
    for pattern in patterns:
        if any(isinstance(piece, Wild) for piece in pattern[1:-1]) or pattern.count(Wild.ONE):
            raise BadMessage(f"In {name} only * is a wildcard, at the beginning or the end of a value.")
    return _texts(name, field, patterns)


def _contents(name: str, field: Field, patterns: list[Pattern]) -> Condition:
    """Return that a payload has one of these in it: nobody compares a whole one."""
    parts: list[Condition] = []
    for pattern in patterns:
        if pattern in ((Wild.MANY,), ()):
            parts.append(Present(field) if pattern else opposite(Present(field)))
        else:
            parts.append(Contains((field,), pattern))
    return parts[0] if len(parts) == 1 else Some(tuple(parts))


_TEXTS: Final[Mapping[Kind, Callable[[str, Field, list[Pattern]], Condition]]] = {
    Kind.TEXT: _texts,
    Kind.CHOICE: _choices,
    Kind.LIST: _elements,
    Kind.PAYLOAD: _contents,
}


def _compared(field: Field, comparison: Comparison, spans: list[tuple[int, int]]) -> Condition:
    """Return a comparison with values that each stand for the numbers from one up to, and without, the other."""
    # A moment that has not come yet is 0, and nothing is less than that.
    lowest = 1 if field.kind is Kind.MOMENT else None
    low, high = spans[0]
    match comparison:
        case Comparison.LESS:
            return Within(field, lowest, low)
        case Comparison.AT_MOST:
            return Within(field, lowest, high)
        case Comparison.GREATER:
            return Within(field, high)
        case Comparison.AT_LEAST:
            return Within(field, low)
        case Comparison.BETWEEN:
            return Within(field, low, spans[1][1])
        case _:
            parts = tuple(Within(field, *span) for span in dict.fromkeys(spans))
            return parts[0] if len(parts) == 1 else Some(parts)


def _span(name: str, field: Field, pattern: Pattern) -> tuple[int, int]:
    text = plain(pattern)
    if text is None:
        raise BadMessage(f"{name} takes no wildcards: use <, > or BETWEEN.")
    found = _UNITS[field.kind](text.strip())
    if found is None:
        raise BadMessage(f"{text[:50]!r} is no value of {name}: {_FORMS[field.kind]}.")
    return found


def _number(text: str) -> tuple[int, int] | None:
    return (int(text), int(text) + 1) if _DIGITS.fullmatch(text) else None


def _milliseconds(text: str) -> tuple[int, int] | None:
    if not _DIGITS.fullmatch(text):
        return None
    first = max(-LATEST, min(int(text) * MILLISECOND, LATEST))
    return first, first + MILLISECOND


def _moment(text: str) -> tuple[int, int] | None:
    """Return the span that a moment names: a millisecond, or with a date alone its whole day."""
    if not _DATE.match(text):
        return _milliseconds(text)
    try:
        written = datetime.fromisoformat(text)
        moment = written if written.tzinfo is not None else written.replace(tzinfo=UTC)
        seconds, parts = divmod(moment.timestamp(), 1)
    except (ValueError, OverflowError):
        return None
    first = int(seconds) * SECOND + round(parts * 1_000) * MILLISECOND
    return first, first + (86_400 * SECOND if _DATE.fullmatch(text) else MILLISECOND)


_UNITS: Final[Mapping[Kind, Callable[[str], tuple[int, int] | None]]] = {
    Kind.NUMBER: _number,
    Kind.DURATION: _milliseconds,
    Kind.MOMENT: _moment,
}
_FORMS: Final = {
    Kind.NUMBER: "a whole number is expected",
    Kind.DURATION: "a number of milliseconds is expected",
    Kind.MOMENT: "milliseconds since 1970 are expected, or a date such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC)",
}
