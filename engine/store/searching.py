"""Finding runs for people: by indexes where there are some, else by a look at the newest runs first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, text

from engine.clock import Instant
from engine.model.execution import Workflow
from engine.search.condition import Condition
from engine.search.order import Order, is_oldest_first
from engine.search.subject import RUN_BEGAN
from engine.store.batch import Batch
from engine.store.codec import storable
from engine.store.outside import Outside, listed
from engine.store.port import WorkflowQuery
from engine.store.records import WORKFLOW
from engine.store.schema import workflow
from engine.store.search_plan import Plan, make_plan
from engine.store.search_port import MOST_COUNTED, FoundRuns, Query
from engine.store.search_source import Direction, source, window
from engine.store.search_sql import order_sql
from engine.store.words_index import words_condition

#: Runs that are looked through at once: few at first, so that what is found among the newest is there at once, and
#: never so many that the time that is left is missed by much.
_FIRST_LOOK: Final = 500
_SECOND_LOOK: Final = 2 * _FIRST_LOOK
_LARGEST_LOOK: Final = 20_000
_QUICK_SECONDS: Final = 0.1

#: Once a page is full, so long is gone on counting what else there is.
_COUNTING_SECONDS: Final = 0.02

_RUN: Final = tuple(workflow.c[name] for name in WORKFLOW.names)


class Look(Struct, frozen=True):
    """What a look at the newest runs has come to, and how far it got."""

    #: Of what matches, the newest first: what it is known by, and at last what it is to be sorted by.
    keys: list[Row[Any]]
    at_least: bool = False
    back_to: Instant | None = None

    def page(self, query: Query) -> list[Row[Any]]:
        """Return the keys of the page that is wanted; what is equal stays as it was."""
        keys = list(self.keys) if query.order else self.keys
        if is_oldest_first(query.order):
            keys.reverse()
        for place, each in enumerate(reversed(query.order), 1):
            keys.sort(key=itemgetter(-place), reverse=each.descending)
        return keys[query.start : query.start + query.size]


#: Returns what matches among the runs that began at or after one moment and before another, the newest first.
Matching = Callable[[Instant | None, int | None], Sequence[Row[Any]]]


#: Returns all that a search finds, None when that cannot be told at once.
AtOnce = Callable[[Plan, Query], Look | None]


def _not_at_once(plan: Plan, query: Query) -> None:
    """Know nothing."""


class Searches:
    """The part of a transaction that people search runs with."""

    def __init__(self, connection: Connection, batch: Batch, outside: Outside) -> None:
        self._connection = connection
        self._batch = batch
        self._outside = outside

    @property
    def _dialect(self) -> str:
        return self._connection.dialect.name

    def find(self, query: WorkflowQuery) -> tuple[int, tuple[Workflow, ...]]:
        """See ``Transaction.find``."""
        found = self.search_runs(query.search())
        return found.total, tuple(found.runs.values())

    def search_runs(self, query: Query) -> FoundRuns:
        """See ``Searching.search_runs``."""
        plan = self._plan(query.condition)
        if plan.empty:
            return FoundRuns(total=0)
        return self._by_indexes(plan, query) if plan.indexed else self._by_looking(plan, query)

    def run_ids(self, condition: Condition, limit: int) -> tuple[str, ...]:
        """See ``Searching.run_ids``."""
        plan = self._plan(condition)
        assert plan.indexed, "ids are listed only by what has an index"
        return () if plan.empty else tuple(key.id for key in self._rows(source(plan, limit, self._dialect)))

    def run(self, workflow_id: str) -> Workflow | None:
        """See ``Searching.run``."""
        rows = self._rows(select(*_RUN).where(workflow.c.id == storable(workflow_id)))
        return next((listed(each) for each in WORKFLOW.read(rows, WORKFLOW.names)), None)

    def last_run_by_key(self, name: str, key: str) -> Workflow | None:
        """See ``Searching.last_run_by_key``."""
        bearing = (workflow.c.idempotency_key == storable(key)) & (workflow.c.name == storable(name))
        newest = select(*_RUN).where(bearing).order_by(workflow.c.created_at.desc(), workflow.c.id.desc()).limit(1)
        return next((listed(each) for each in WORKFLOW.read(self._rows(newest), WORKFLOW.names)), None)

    def _plan(self, condition: Condition) -> Plan:
        if self._dialect == "postgresql":
            # What people ask for differs too much for one plan: a LIKE whose beginning is not known yet has no index.
            self._connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        return make_plan(condition, self._every_name)

    def _every_name(self) -> Sequence[str]:
        """Return every name that runs have, by going from each to the next in the index."""
        name = workflow.c.name
        names = select(func.min(name).label("name")).cte("names", recursive=True)
        following = select(func.min(name)).where(name > names.c.name).correlate(names).scalar_subquery()
        names = names.union_all(select(following).where(names.c.name.is_not(None)))
        return self._connection.scalars(select(names.c.name).where(names.c.name.is_not(None))).all()

    def _by_indexes(self, plan: Plan, query: Query) -> FoundRuns:
        by_time = not query.order or query.order[0].field == RUN_BEGAN
        back_to = None
        if by_time:
            direction: Direction = "oldest" if is_oldest_first(query.order) else "newest"
            chosen = source(plan, query.start + query.size, self._dialect, direction).subquery()
            page = select(chosen.c.id).order_by(
                *(_turned(each, direction) for each in (chosen.c.created_at, chosen.c.id))
            )
        else:
            keys = [column.label(f"key_{number}") for number, column in enumerate(self._sorted_by(query.order))]
            chosen = source(plan, MOST_COUNTED, self._dialect, further=keys).subquery()
            sorted_by = zip(keys, query.order, strict=True)
            order = [_turned(chosen.c[key.name], "newest" if each.descending else "oldest") for key, each in sorted_by]
            page = select(chosen.c.id).order_by(*order, chosen.c.created_at.desc(), chosen.c.id.desc())
        ids = self._connection.scalars(page.limit(query.size).offset(query.start)).all()
        total = self._counted(plan, query, len(ids))
        at_least = total > MOST_COUNTED
        if at_least and by_time:
            total = max(MOST_COUNTED, query.start + len(ids) + (len(ids) == query.size))
        elif at_least:
            total, back_to = MOST_COUNTED, self._connection.scalar(select(func.min(chosen.c.created_at)))
        return FoundRuns(total=total, at_least=at_least, back_to=back_to, runs=self._runs(ids))

    def _counted(self, plan: Plan, query: Query, shown: int) -> int:
        """Return how many there are, or more than ``MOST_COUNTED``."""
        if 0 < shown < query.size or (not shown and not query.start):
            return query.start + shown
        some = source(plan, MOST_COUNTED + 1, self._dialect, "any").subquery()
        return self._connection.scalar(select(func.count()).select_from(some)) or 0

    def _by_looking(self, plan: Plan, query: Query) -> FoundRuns:
        look = self._look(plan, query, lambda low, high: self._keys(plan, query.order, low, high), self._by_words)
        runs = self._runs([key[0] for key in look.page(query)])
        return FoundRuns(total=len(look.keys), at_least=look.at_least, back_to=look.back_to, runs=runs)

    def _keys(self, plan: Plan, order: Sequence[Order], low: Instant | None, high: int | None) -> Sequence[Row[Any]]:
        created, identity = workflow.c.created_at, workflow.c.id
        matching = select(identity, *self._sorted_by(order)).where(*window(plan, low, high, self._dialect))
        return self._connection.execute(matching.order_by(created.desc(), identity.desc())).all()

    def _by_words(self, plan: Plan, query: Query) -> Look | None:
        """Return everything that matches by an index of words, None when there is none, or too much was found by it."""
        words = words_condition(self._connection, plan)
        if words is None:
            return None
        columns = (workflow.c.id, workflow.c.created_at, *self._sorted_by(query.order))
        matching = select(*columns).where(words, *window(plan, None, plan.high, self._dialect)).limit(MOST_COUNTED + 1)
        keys = sorted(self._rows(matching), key=itemgetter(1, 0), reverse=True)
        return Look(keys) if len(keys) <= MOST_COUNTED else None

    def _look(self, plan: Plan, query: Query, matching: Matching, at_once: AtOnce = _not_at_once) -> Look:
        """Go back from the newest run until all have been looked at, there is enough, or time is up.

        What is not among the newest is rare, and asked for ``at_once`` where something can tell.
        """
        begun = last = time.monotonic()
        enough = MOST_COUNTED if query.order else min(query.start + query.size + 1, MOST_COUNTED)
        keys: list[Row[Any]] = []
        high, size = plan.high, _FIRST_LOOK
        while True:
            low = self._beginning(plan, high, size)
            keys += matching(low, high)
            if low is None:
                return Look(keys)
            now = time.monotonic()
            if len(keys) >= enough and (query.order or now - begun > _COUNTING_SECONDS):
                return Look(keys, at_least=True, back_to=low if query.order else None)
            if now - begun >= query.seconds:
                return Look(keys, at_least=True, back_to=low)
            if size == _SECOND_LOOK and len(keys) < enough and (everything := at_once(plan, query)) is not None:
                return everything
            if now - last < _QUICK_SECONDS:
                size = min(2 * size, _LARGEST_LOOK)
            high, last = low, now

    def _beginning(self, plan: Plan, high: int | None, size: int) -> Instant | None:
        """Return when the ``size``-th run before a moment began, None when there are not so many."""
        some = source(replace(plan, high=high), size, self._dialect).subquery()
        found: Any = self._connection.execute(select(func.count(), func.min(some.c.created_at))).one()
        return Instant(found[1]) if found[0] == size else None

    def _sorted_by(self, order: Sequence[Order]) -> list[ColumnElement[Any]]:
        return [order_sql(each.field, self._dialect) for each in order]

    def _runs(self, ids: Sequence[str]) -> dict[str, Workflow]:
        """Return the runs with these ids, in this order."""
        if not ids:
            return {}
        rows = self._rows(select(*_RUN).where(self._batch.among(workflow.c.id, ids)))
        found = {each.id: listed(each) for each in WORKFLOW.read(rows, WORKFLOW.names)}
        return {each: found[each] for each in ids if each in found}

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        return self._connection.execute(query).all()


def _turned(column: ColumnElement[Any], direction: Direction) -> ColumnElement[Any]:
    return column if direction == "oldest" else column.desc()
