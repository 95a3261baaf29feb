"""In which order what was found is listed."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from engine.errors import BadMessage
from engine.search.condition import Field, Kind
from engine.search.subject import RUN_BEGAN, RUN_CLASSIFIER, Subject

#: Fields that one list can be sorted by.
_MOST: Final = 10

_SEPARATOR: Final = re.compile(r"[|,]")


class Order(Struct, frozen=True):
    """One field that a list is sorted by."""

    field: Field
    descending: bool = False


def read_order(text: str, subject: Subject) -> tuple[Order, ...]:
    """Return what ``workflowType|startTime:DESC`` asks for; raise ``BadMessage`` for what cannot be sorted by.

    Behind the moment at which runs began nothing counts any more: what began at the same one goes by id.
    """
    parts = [part.strip() for part in _SEPARATOR.split(text) if part.strip()]
    if len(parts) > _MOST:
        raise BadMessage(f"sort names {len(parts)} fields, the limit is {_MOST}.")
    found: dict[str, Order] = {}
    for part in parts:
        name, _, direction = (piece.strip() for piece in part.partition(":"))
        field = subject.fields.get(name)
        if field is None or not _sortable(field) or direction.upper() not in ("", "ASC", "DESC"):
            known = ", ".join(known for known, each in subject.fields.items() if _sortable(each))
            raise BadMessage(f"sort {part[:50]!r} is not understood: write startTime:DESC; the fields are {known}.")
        found.setdefault(field.key, Order(field, direction.upper() == "DESC"))
    order = tuple(found.values())
    moment = next((place for place, each in enumerate(order) if each.field == RUN_BEGAN), len(order))
    return order[: moment + 1]


def is_oldest_first(order: tuple[Order, ...]) -> bool:
    """True for runs in the order in which they began: then those of one moment are in the order of their ids, too.

    Everywhere else the newest come first among equals, and of one moment the one with the last id.
    """
    return bool(order) and order[0].field == RUN_BEGAN and not order[0].descending


def _sortable(field: Field) -> bool:
    return field.kind not in (Kind.PAYLOAD, Kind.LIST) and field != RUN_CLASSIFIER
