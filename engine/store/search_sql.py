"""Conditions as SQL: every value that people wrote is bound, none is part of a statement's text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    String,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)

from engine.model.execution import Task, split_task_id
from engine.model.status import OPEN_WORKFLOW
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
    Wild,
    Within,
)
from engine.search.pattern import in_json
from engine.search.subject import TASK_ID
from engine.store.codec import storable
from engine.store.schedule_tables import schedule_execution
from engine.store.schema import definition, task, workflow
from engine.tasks import task_types

#: Stands before what is no wildcard; not the backslash, which means something to MySQL already.
_ESCAPE: Final = "!"

_LIKE: Final = {Wild.MANY: "%", Wild.ONE: "_"}
#: No time at all; as large as the times that are compared with it.
_NONE: Final = literal(0, BigInteger())

_TABLES: Final = {"run": workflow, "task": task, "date": schedule_execution}


def condition_sql(condition: Condition, dialect: str) -> ColumnElement[bool]:
    """Return a condition on ``workflow``, ``task`` or ``schedule_execution``, whichever its fields are of."""
    return _Translation(dialect).of(condition)


def order_sql(field: Field, dialect: str) -> ColumnElement[Any]:
    """Return what sorts by a field: texts by their bytes, in every database."""
    column = column_sql(field)
    if field.kind not in (Kind.TEXT, Kind.CHOICE):
        return column
    filled = func.coalesce(column, "")
    return filled.collate("C") if dialect == "postgresql" else filled


def contains_sql(column: ColumnElement[Any], pattern: Pattern) -> ColumnElement[bool]:
    """Return that a text has a pattern somewhere in it, in capitals or not."""
    return column.ilike("%" + "".join(map(_like, pattern)) + "%", escape=_ESCAPE)


def column_sql(field: Field) -> ColumnElement[Any]:
    """Return what holds a field's value."""
    made = _MADE.get(field.key)
    if made is not None:
        return made()
    table, _, name = field.key.partition(".")
    return _TABLES[table].c[name]


@cache
def _ended_at() -> ColumnElement[Any]:
    """Return when a run ended; one that was taken up again keeps the date in its row."""
    return case((workflow.c.status.in_(sorted(OPEN_WORKFLOW)), _NONE), else_=workflow.c.ended_at)


@cache
def _run_took() -> ColumnElement[Any]:
    return case((_ended_at() == 0, _NONE), else_=workflow.c.ended_at - workflow.c.created_at)


@cache
def _task_took() -> ColumnElement[Any]:
    columns = task.c
    return case(
        (or_(columns.ended_at == 0, columns.started_at == 0), _NONE), else_=columns.ended_at - columns.started_at
    )


@cache
def _task_waited() -> ColumnElement[Any]:
    columns = task.c
    since = case((columns.visible_at > columns.scheduled_at, columns.visible_at), else_=columns.scheduled_at)
    never = or_(columns.started_at == 0, columns.scheduled_at == 0, columns.started_at < since)
    return case((never, _NONE), else_=columns.started_at - since)


@cache
def _task_id() -> ColumnElement[Any]:
    return task.c.workflow_id + literal(".") + cast(task.c.seq, String())


@cache
def _shown_type() -> ColumnElement[Any]:
    """Return a task's type as clients see it; where that is not the same for all of a type, it is the task's name."""
    shown = {
        name: kind.shown_type(Task(workflow_id="", seq=1, ref="", type=name, name="\0"))
        for name, kind in task_types().items()
    }
    named = [name for name, text in shown.items() if text == "\0"]
    others = {name: text for name, text in shown.items() if text not in ("\0", name)}
    whens = [(task.c.type == name, text) for name, text in others.items()]
    return case((task.c.type.in_(named), task.c.name), *whens, else_=task.c.type)


_MADE: Final[Mapping[str, Callable[[], ColumnElement[Any]]]] = {
    "run.ended_at": _ended_at,
    "run.took": _run_took,
    "task.took": _task_took,
    "task.waited": _task_waited,
    "task.id": _task_id,
    "task.shown_type": _shown_type,
}


class _Translation:
    """How one database wants its conditions."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect

    def of(self, condition: Condition) -> ColumnElement[bool]:
        match condition:
            case All(parts):
                return and_(true(), *map(self.of, parts))
            case Some(parts):
                return or_(false(), *map(self.of, parts))
            case Not(part):
                # What is asked of an absent value is unknown, and the opposite of that must be true.
                return not_(func.coalesce(self.of(part), false(), type_=Boolean()))
            case HasTask(inner):
                return exists(select(1).where(task.c.workflow_id == workflow.c.id, self.of(inner)).correlate(workflow))
            case Matches(field, texts, patterns):
                return or_(false(), *self._texts(field, texts), *(self._pattern(field, each) for each in patterns))
            case Within(field, low, high):
                column = column_sql(field)
                ends = (low is not None and column >= low, high is not None and column < high)
                return and_(true(), *(end for end in ends if end is not False))
            case Present(field):
                return _present(field)
            case Contains(fields, pattern):
                return or_(false(), *(self._contains(field, pattern) for field in fields))

    def _texts(self, field: Field, texts: tuple[str, ...]) -> list[ColumnElement[bool]]:
        if field == TASK_ID:
            keys = [key for key in map(split_task_id, texts) if key is not None]
            return [and_(task.c.workflow_id == storable(run), task.c.seq == seq) for run, seq in keys]
        if field.kind is Kind.LIST:
            return [self._pattern(field, (text,)) for text in texts]
        column, stored = column_sql(field), [storable(text) for text in texts]
        return [column == stored[0] if len(stored) == 1 else column.in_(stored)] if stored else []

    def _pattern(self, field: Field, pattern: Pattern) -> ColumnElement[bool]:
        column = column_sql(field)
        if field.kind is Kind.LIST:
            pattern, column = _element(pattern), cast(column, Text())
        if self._dialect == "sqlite":
            # LIKE takes capitals for small letters there.
            return column.op("GLOB", is_comparison=True)("".join(map(_glob, pattern)))
        return column.like("".join(map(_like, pattern)), escape=_ESCAPE)

    def _contains(self, field: Field, pattern: Pattern) -> ColumnElement[bool]:
        column = column_sql(field)
        if field.kind in (Kind.PAYLOAD, Kind.LIST):
            column, pattern = cast(column, Text()), in_json(pattern)
        found = contains_sql(column, pattern)
        return and_(found, not_(_masks())) if field.kind is Kind.PAYLOAD else found


def _present(field: Field) -> ColumnElement[bool]:
    column = column_sql(field)
    if field.kind in (Kind.PAYLOAD, Kind.LIST):
        return and_(column.is_not(None), cast(column, Text()).not_in(["{}", "[]"]))
    if field.kind in (Kind.TEXT, Kind.CHOICE):
        return and_(column.is_not(None), column != "")
    return column != 0


def _masks() -> ColumnElement[bool]:
    """Return that a run's definition hides some of its data: nobody may find out by searching what it is."""
    of_run = select(1).where(
        definition.c.hash == workflow.c.definition_hash, cast(definition.c.body, Text()).like('%"maskedFields":["%')
    )
    return exists(of_run.correlate(workflow))


def _element(pattern: Pattern) -> Pattern:
    """Return the pattern of a list's JSON text that one of its elements makes it have."""
    quoted = in_json(pattern)
    begin: Pattern = () if quoted[0] is Wild.MANY else ('"',)
    end: Pattern = () if quoted[-1] is Wild.MANY else ('"',)
    return (Wild.MANY, *begin, *quoted, *end, Wild.MANY)


def _like(piece: str | Wild) -> str:
    if isinstance(piece, Wild):
        return _LIKE[piece]
    for special in (_ESCAPE, "%", "_"):
        piece = piece.replace(special, _ESCAPE + special)
    return storable(piece)


def _glob(piece: str | Wild) -> str:
    if isinstance(piece, Wild):
        return piece.value
    return storable("".join(f"[{each}]" if each in "*?[" else each for each in piece))
