"""Conditions as frozen values: what a query was read as, before a store makes SQL or a predicate of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from typing import TypeAlias

from msgspec import Struct


class Kind(Enum):
    """What can be asked of a field."""

    #: A text; absent and empty are one.
    TEXT = "text"
    #: One of a few words.
    CHOICE = "choice"
    #: A whole number.
    NUMBER = "number"
    #: A moment, in microseconds since 1970; 0 is never.
    MOMENT = "moment"
    #: Time that has passed, in microseconds.
    DURATION = "duration"
    #: A JSON object of people's data, in which texts are looked for.
    PAYLOAD = "payload"
    #: A JSON list of texts.
    LIST = "list"


class Field(Struct, frozen=True):
    """Something that can be searched by; ``key`` is what a store knows it by."""

    key: str
    kind: Kind
    #: What a CHOICE can be.
    choices: tuple[str, ...] = ()


class Wild(Enum):
    """What stands for other characters in a pattern."""

    #: Any number of them.
    MANY = "*"
    #: Exactly one.
    ONE = "?"


#: Literal texts and what stands between them.
Pattern: TypeAlias = tuple[str | Wild, ...]


class Matches(Struct, frozen=True):
    """A text is one of these, or has the form of one of the patterns; of a LIST, one of its elements."""

    field: Field
    texts: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()


class Within(Struct, frozen=True):
    """A number is at least ``low`` and less than ``high``."""

    field: Field
    low: int | None = None
    high: int | None = None


class Present(Struct, frozen=True):
    """A field has a value."""

    field: Field


class Contains(Struct, frozen=True):
    """One of the fields has this pattern somewhere in it, in capitals or not."""

    fields: tuple[Field, ...]
    pattern: Pattern


class Not(Struct, frozen=True):
    """The opposite of a condition that has no parts."""

    part: Matches | Within | Present | Contains | HasTask


class All(Struct, frozen=True):
    """All of these hold; true of everything when there are none."""

    parts: tuple[Condition, ...] = ()


class Some(Struct, frozen=True):
    """At least one of these holds; true of nothing when there are none."""

    parts: tuple[Condition, ...] = ()


class HasTask(Struct, frozen=True):
    """The run has a task of which this holds."""

    condition: Condition


Condition: TypeAlias = Matches | Within | Present | Contains | Not | All | Some | HasTask

EVERYTHING = All()


def opposite(condition: Condition) -> Condition:
    """Return the condition that holds of everything else; ``Not`` stands before single conditions only."""
    if isinstance(condition, All):
        return Some(tuple(map(opposite, condition.parts)))
    if isinstance(condition, Some):
        return All(tuple(map(opposite, condition.parts)))
    return condition.part if isinstance(condition, Not) else Not(condition)


def every(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that all of these hold, as flat as can be."""
    parts = tuple(part for each in conditions for part in conjuncts(each))
    return parts[0] if len(parts) == 1 else All(parts)


def conjuncts(condition: Condition) -> Iterator[Condition]:
    """Yield the conditions that all have to hold."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from conjuncts(part)
    else:
        yield condition


def leaves(condition: Condition) -> Iterator[Matches | Within | Present | Contains | HasTask]:
    """Yield the single conditions that this one is made of."""
    if isinstance(condition, All | Some):
        for part in condition.parts:
            yield from leaves(part)
    else:
        yield condition.part if isinstance(condition, Not) else condition


def exchanged(condition: Condition, field: Field, other: Callable[[Matches | Present], Condition]) -> Condition:
    """Return a condition in which what is asked of one field is asked in other words."""
    match condition:
        case All(parts):
            return All(tuple(exchanged(part, field, other) for part in parts))
        case Some(parts):
            return Some(tuple(exchanged(part, field, other) for part in parts))
        case Not(part):
            return opposite(exchanged(part, field, other))
        case Matches() | Present():
            return other(condition) if condition.field == field else condition
        case _:
            return condition


def fields_of(condition: Condition) -> frozenset[Field]:
    """Return every field that a condition asks for."""
    found: set[Field] = set()
    for leaf in leaves(condition):
        if isinstance(leaf, HasTask):
            found |= fields_of(leaf.condition)
        else:
            found.update(leaf.fields if isinstance(leaf, Contains) else (leaf.field,))
    return frozenset(found)


def wanted(field: Field, texts: Sequence[str]) -> Matches:
    """Return the condition that a field is one of these texts."""
    return Matches(field, tuple(texts))
