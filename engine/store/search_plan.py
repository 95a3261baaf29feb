"""How a search goes about it: what indexes answer, and what has to be looked for in the rows; no SQL yet.

Runs are found by name, status and beginning, and by ids and marks, without reading a row that is not wanted. Anything
else is looked for in the runs that those leave, the newest first, as long as there is time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from engine.model.status import WorkflowStatus
from engine.search.condition import Condition, Field, HasTask, Matches, Within, conjuncts, fields_of, leaves
from engine.search.predicate import holds
from engine.search.subject import RUN_BEGAN, RUN_CORRELATION, RUN_ID, RUN_NAME, RUN_PARENT, RUN_STATUS
from engine.store.codec import storable

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
    def places(self) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """The names and statuses to look up; None for all.

        The index of names goes on with the status: with all of them written out it leads to dates as well.
        """
        return self.names, _STATUSES if self.names is not None and self.statuses is None else self.statuses

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
