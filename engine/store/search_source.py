"""Where a search reads: the rows that indexes lead to, in the order in which they lie there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Final, Literal, TypeAlias

from msgspec.structs import replace
from sqlalchemy import ARRAY, ColumnElement, Select, Text, bindparam, func, select, true, union_all
from sqlalchemy.sql.selectable import FromClause

from engine.store.schema import workflow
from engine.store.search_plan import Plan
from engine.store.search_sql import condition_sql

#: Names times statuses that are each looked up in the index; with more of them the newest runs are gone through, many
#: of which are then wanted. Postgres takes any number; other databases get a part of the statement for each.
_MOST_PLACES: Final = 120
_MOST_PLACES_ON_POSTGRES: Final = 3_000

#: The columns that a source has: what is asked for, and always ``created_at`` and ``id``.
_KEY: Final = (workflow.c.created_at, workflow.c.id)

Direction: TypeAlias = Literal["newest", "oldest", "any"]

#: Names and statuses that are looked up together; None for all.
_Place: TypeAlias = tuple[Sequence[str] | None, Sequence[str] | None]


def source(
    plan: Plan, limit: int, dialect: str, direction: Direction = "newest", further: Sequence[ColumnElement[Any]] = ()
) -> Select[Any]:
    """Return beginning, id and ``further`` columns of at most so many runs that indexes lead to.

    They are the first in that direction, and in its order.
    """
    columns = (*_KEY, *further)
    places = _places(plan, dialect)
    if len(places) == 1:
        found = select(*columns).where(*_bounds(plan, places[0], dialect))
        # Few are left: no database is to go through all runs in this order until it has met enough of them.
        began = workflow.c.created_at + 0 if plan.pinned else workflow.c.created_at
        return _turned(found, began, workflow.c.id, direction).limit(limit)
    if dialect == "postgresql":
        return _beside_each_other(plan, columns, limit, direction)
    each = [
        _turned(select(*columns).where(*_bounds(plan, place, dialect)), *_KEY, direction).limit(limit).subquery()
        for place in places
    ]
    together = union_all(*(select(*one.c) for one in each)).subquery()
    return _turned(select(*together.c), together.c.created_at, together.c.id, direction).limit(limit)


def window(plan: Plan, low: int | None, high: int | None, dialect: str) -> list[ColumnElement[bool]]:
    """Return the conditions, all of them, on runs that began at or after ``low`` and before ``high``."""
    spanned = replace(plan, pinned=True, low=plan.low if low is None else low, high=high)
    return _bounds(spanned, plan.places, dialect)


def _places(plan: Plan, dialect: str) -> list[_Place]:
    """Return where in the indexes to look: in all places at once when those are too many, or few runs are left."""
    names, statuses = plan.places
    most = _MOST_PLACES_ON_POSTGRES if dialect == "postgresql" else _MOST_PLACES
    if plan.pinned or statuses is None or len(names or ("",)) * len(statuses) > most:
        return [(names, statuses)]
    if names is None:
        return [(None, (status,)) for status in statuses]
    return [((name,), (status,)) for name, status in product(names, statuses)]


def _beside_each_other(
    plan: Plan, columns: Sequence[ColumnElement[Any]], limit: int, direction: Direction
) -> Select[Any]:
    """Return the same by a look-up for each pair of two arrays: a short statement, however many there are."""
    names, statuses = plan.places
    status = _unfolded("one_status", statuses or ())
    looked_up: FromClause = status
    conditions = [workflow.c.status == status.c.value, *_span(plan)]
    if names is not None:
        name = _unfolded("one_name", names)
        looked_up = status.join(name, true())
        conditions.append(workflow.c.name == name.c.value)
    each = _turned(select(*columns).where(*conditions), *_KEY, direction).limit(limit)
    found = each.correlate_except(workflow).lateral("found")
    both = select(*found.c).select_from(looked_up.join(found, true()))
    return _turned(both, found.c.created_at, found.c.id, direction).limit(limit)


def _unfolded(name: str, values: Sequence[str]) -> Any:
    """Return an array's values as a table with the column ``value``."""
    array = bindparam(None, list(values), ARRAY(Text()))
    return func.unnest(array).table_valued("value").render_derived(name=name)


def _bounds(plan: Plan, place: _Place, dialect: str) -> list[ColumnElement[bool]]:
    conditions = [
        column == values[0] if len(values) == 1 else column.in_(values)
        for column, values in zip((workflow.c.name, workflow.c.status), place, strict=True)
        if values is not None
    ]
    return conditions + _span(plan) + ([condition_sql(part, dialect) for part in plan.rest] if plan.pinned else [])


def _span(plan: Plan) -> list[ColumnElement[bool]]:
    created = workflow.c.created_at
    ends = [] if plan.low is None else [created >= plan.low]
    return ends if plan.high is None else [*ends, created < plan.high]


def _turned(
    query: Select[Any], began: ColumnElement[Any], identity: ColumnElement[Any], direction: Direction
) -> Select[Any]:
    match direction:
        case "newest":
            return query.order_by(began.desc(), identity.desc())
        case "oldest":
            return query.order_by(began, identity)
        case "any":
            return query
