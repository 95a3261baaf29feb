"""How a search goes about it: what indexes answer, and what has to be looked for in the rows.

Runs are found by name, status and beginning, and by ids and marks, without reading a row that is not wanted. Anything
else is looked for in the runs that those leave, the newest first, as long as there is time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Select, select, union_all

from engine.clock import Instant
from engine.model.status import WorkflowStatus
from engine.search.condition import Condition, Field, HasTask, Matches, Within, conjuncts, fields_of, leaves
from engine.search.predicate import holds
from engine.search.subject import RUN_BEGAN, RUN_CORRELATION, RUN_ID, RUN_NAME, RUN_PARENT, RUN_STATUS
from engine.store.codec import storable
from engine.store.schema import workflow
from engine.store.search_sql import condition_sql

#: Names times statuses of one search that are each looked up in the index; with more the newest runs are gone through,
#: of which then enough are wanted.
_MOST_BRANCHES: Final = 120

#: So much of the beginning of an id leaves few enough runs: fresh ids begin with the time.
_LEADING: Final = 8

_PINNING: Final = (RUN_ID, RUN_CORRELATION, RUN_PARENT)
_STATUSES: Final = tuple(WorkflowStatus)


class Plan(Struct, frozen=True, kw_only=True):
    """A condition on runs, taken apart."""

    #: Few runs are left, and all that is asked can be asked of them at once.
    pinned: bool
    #: None where all of them count.
    names: tuple[str, ...] | None
    statuses: tuple[str, ...] | None
    #: When the runs began: at or after the first, before the second.
    low: int | None
    high: int | None
    #: What no index answers.
    rest: tuple[Condition, ...]

    @property
    def empty(self) -> bool:
        """Nothing can be found."""
        return self.names == () or self.statuses == ()

    @property
    def indexed(self) -> bool:
        """Everything is answered without looking through rows that are not wanted."""
        return self.pinned or not self.rest


def make_plan(condition: Condition, every_name: Callable[[], Sequence[str]]) -> Plan:
    """Take a condition apart; ``every_name`` is called only where names have to be tried one by one."""
    names: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    low: int | None = None
    high: int | None = None
    rest: list[Condition] = []
    pinned = False
    for part in conjuncts(condition):
        if isinstance(part, Within) and part.field == RUN_BEGAN:
            low = part.low if low is None else max(low, low if part.low is None else part.low)
            high = part.high if high is None else min(high, high if part.high is None else part.high)
        elif _only(part, RUN_NAME):
            known = names if names is not None else _written(part) or tuple(every_name())
            names = _chosen(part, known)
        elif _only(part, RUN_STATUS):
            statuses = _chosen(part, _STATUSES if statuses is None else statuses)
        else:
            rest.append(part)
            pinned = pinned or _pins(part)
    return Plan(pinned=pinned, names=names, statuses=statuses, low=low, high=high, rest=tuple(rest))


def _only(part: Condition, field: Field) -> bool:
    return fields_of(part) == {field} and not any(isinstance(leaf, HasTask) for leaf in leaves(part))


def _written(part: Condition) -> tuple[str, ...] | None:
    """Return the names that are written out, None when there may be others."""
    return tuple(map(storable, part.texts)) if isinstance(part, Matches) and not part.patterns else None


def _chosen(part: Condition, values: Sequence[str]) -> tuple[str, ...]:
    if (written := _written(part)) is not None:
        return tuple(value for value in values if value in written)
    return tuple(value for value in values if holds(part, lambda _: value))  # noqa: B023  called at once


def _pins(part: Condition) -> bool:
    if not isinstance(part, Matches) or part.field not in _PINNING:
        return False
    begins = [pattern[0] for pattern in part.patterns]
    return not begins or (
        part.field == RUN_ID and all(isinstance(each, str) and len(each) >= _LEADING for each in begins)
    )


def candidates(plan: Plan, limit: int, dialect: str, *, oldest_first: bool = False) -> Select[tuple[str, Instant]]:
    """Return id and beginning of at most so many runs that indexes lead to, the newest first unless told otherwise."""
    branches = _branches(plan)
    if len(branches) == 1:
        return _some(_bounds(plan, branches[0], dialect), limit, oldest_first)
    each = [_some(_bounds(plan, branch, dialect), limit, oldest_first).subquery() for branch in branches]
    together = union_all(*(select(one.c.id, one.c.created_at) for one in each)).subquery()
    return _ordered(select(together.c.id, together.c.created_at), together.c, oldest_first).limit(limit)


def uncounted(plan: Plan, limit: int, dialect: str) -> Select[tuple[int]]:
    """Return a row for each run that indexes lead to, at most so many of them, in any order."""
    each = [select(workflow.c.created_at).where(*_bounds(plan, branch, dialect)) for branch in _branches(plan)]
    if len(each) == 1:
        return each[0].limit(limit)
    together = union_all(*each).subquery()
    return select(together.c.created_at).limit(limit)


def window(plan: Plan, low: int | None, high: int | None, dialect: str) -> list[ColumnElement[bool]]:
    """Return the conditions, all of them, on runs that began at or after ``low`` and before ``high``."""
    spanned = replace(plan, pinned=True, low=plan.low if low is None else low, high=high)
    return _bounds(spanned, _everywhere(plan), dialect)


#: The names and statuses that are looked up together.
_Branch: TypeAlias = tuple[tuple[str, ...] | None, tuple[str, ...] | None]


def _everywhere(plan: Plan) -> _Branch:
    # The index of names goes on with the status: with all of them written out it leads to dates as well.
    return plan.names, _STATUSES if plan.names is not None and plan.statuses is None else plan.statuses


def _branches(plan: Plan) -> list[_Branch]:
    """Return the places in the indexes where to look; together when there are too many, or few runs anyway."""
    names, statuses = _everywhere(plan)
    if plan.pinned or statuses is None or len(names or ("",)) * len(statuses) > _MOST_BRANCHES:
        return [(names, statuses)]
    if names is None:
        return [(None, (status,)) for status in statuses]
    return [((name,), (status,)) for name, status in product(names, statuses)]


def _bounds(plan: Plan, branch: _Branch, dialect: str) -> list[ColumnElement[bool]]:
    names, statuses = branch
    columns = workflow.c
    conditions = [
        column == values[0] if len(values) == 1 else column.in_(values)
        for column, values in ((columns.name, names), (columns.status, statuses))
        if values is not None
    ]
    if plan.low is not None:
        conditions.append(columns.created_at >= plan.low)
    if plan.high is not None:
        conditions.append(columns.created_at < plan.high)
    return conditions + ([condition_sql(part, dialect) for part in plan.rest] if plan.pinned else [])


def _some(conditions: Sequence[ColumnElement[bool]], limit: int, oldest_first: bool) -> Select[tuple[str, Instant]]:
    query = select(workflow.c.id, workflow.c.created_at).where(*conditions)
    return _ordered(query, workflow.c, oldest_first).limit(limit)


def _ordered(query: Select[tuple[str, Instant]], columns: Any, oldest_first: bool) -> Select[tuple[str, Instant]]:
    created, identity = columns.created_at, columns.id
    if oldest_first:
        return query.order_by(created, identity)
    return query.order_by(created.desc(), identity.desc())
