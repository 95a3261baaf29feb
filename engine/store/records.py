"""Runs and tasks as rows: which column holds which field, and rows back into values."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from operator import attrgetter, is_
from typing import Any, Final, Generic, NoReturn, TypeVar

from sqlalchemy import BigInteger, Boolean, Table

from engine.errors import BatonError
from engine.model.execution import Task, Workflow
from engine.model.payload import NOTHING, Json
from engine.model.status import Slot, TaskStatus, WorkflowStatus
from engine.store import schema
from engine.store.codec import decode, encode, storable
from engine.store.schema import JsonText

_R = TypeVar("_R", Workflow, Task)

#: One column of a batch: values as the database takes them.
Values = Sequence[Any]

#: What a record is by birth; an update does not write it.
_IDENTITY_OF_WORKFLOW: Final = frozenset(
    {"id", "name", "parent_id", "parent_task_id", "depth", "created_by", "event", "idempotency_key"}
)
_IDENTITY_OF_TASK: Final = frozenset(
    {"workflow_id", "seq", "ref", "type", "parent", "branch", "position", "attempt", "retry_of"}
)
#: Payloads of people's data, which may be large: left alone when they are still the same object.
_LARGE: Final = frozenset({"input", "output", "variables", "task_to_domain", "own_definition", "messages"})


class Field:
    """One field of a record and the column that holds it."""

    def __init__(self, table: Table, name: str) -> None:
        self.name = name
        kind = table.c[name].type
        self.is_json = isinstance(kind, JsonText)
        self.is_flag = isinstance(kind, Boolean)
        self.is_number = isinstance(kind, BigInteger)
        self.is_text = not (self.is_json or self.is_flag or self.is_number)
        #: An update may leave the column as it is, which NULL stands for.
        self.may_stay = name in _LARGE
        #: A task without a definition of its own is not one with an empty definition.
        self.empty_is_null = name != "own_definition"

    def values(self, column: Values) -> Values:
        """Return a new row's values as the database takes them; what is empty is NULL."""
        if self.is_json:
            if self.empty_is_null and not any(column):
                return (None,) * len(column)
            return [None if value is None or (self.empty_is_null and not value) else encode(value) for value in column]
        return _texts(column) if self.is_text else column

    def changed(self, column: Values, before: Values) -> Values:
        """Return an existing row's values; NULL for a large payload that is still the object it was."""
        if not self.may_stay:
            return self.values(column)
        if all(map(is_, column, before)):
            return (None,) * len(column)
        return [None if new is old else encode(new) for new, old in zip(column, before, strict=True)]


def _texts(column: Values) -> Values:
    whole = "".join(filter(None, column))
    if whole.isascii() and "\0" not in whole:
        return column
    return [text and storable(text) for text in column]


def _object(text: str | None) -> Json:
    return decode(text) if text is not None else NOTHING


def _optional(text: str | None) -> Json:
    return decode(text) if text is not None else None


def _list(text: str | None) -> Json:
    return decode(text) if text is not None else ()


def _tuple(text: str | None) -> Json:
    return tuple(decode(text)) if text is not None else ()


#: How a column is read; the others come as they are.
_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    # What thousands of rows have in common is kept once.
    "workflow_id": sys.intern,
    "type": sys.intern,
    "name": sys.intern,
    "queue": sys.intern,
    "input": _object,
    "output": _object,
    "variables": _object,
    "task_to_domain": _object,
    "skips": _object,
    "own_definition": _optional,
    "unconfirmed": _list,
    "asked_by": _list,
    "messages": _tuple,
    "failed_refs": _tuple,
    "failed_names": _tuple,
    "retried": bool,
    "executed": bool,
    "dispatched": bool,
}

#: Stands for a payload that was never seen before.
_UNKNOWN: Final = object()


class _Statuses(dict[str, StrEnum]):
    """Statuses by their names."""

    def __missing__(self, name: str) -> NoReturn:
        raise BatonError(f"A row has the status {name!r}, which this version does not know: a newer one has written it")


class Record(Generic[_R]):
    """One kind of row: all its fields, those that may change, and the way there and back."""

    def __init__(self, kind: type[_R], status: type[StrEnum], table: Table, identity: frozenset[str]) -> None:
        self._kind: Callable[..., _R] = kind
        self.table = table
        self.names: Final[tuple[str, ...]] = kind.__struct_fields__
        #: Those that hold no data of people's.
        self.small_names: Final = tuple(name for name in self.names if name not in _LARGE)
        self.fields: Final = tuple(Field(table, name) for name in self.names)
        self.changing: Final = tuple(field for field in self.fields if field.name not in identity)
        self.born: Final = tuple(field for field in self.fields if field.name in identity)
        self.identity: Final = attrgetter(*sorted(identity))
        self._all = attrgetter(*self.names)
        self._changing = attrgetter(*(field.name for field in self.changing))
        self._born = attrgetter(*(field.name for field in self.born))
        statuses = _Statuses({each.value: each for each in status})
        slots = _Statuses({each.value: each for each in Slot})
        readers: dict[str, Callable[[Any], Any]] = {
            **_READERS,
            "status": statuses.__getitem__,
            "slot": slots.__getitem__,
        }
        self._run: Final = self.names.index(next(iter(table.primary_key)).name)
        self._large: Final = tuple(place for place, name in enumerate(self.names) if name in _LARGE)
        self._readers = {
            names: [(place, readers[name]) for place, name in enumerate(names) if name in readers]
            for names in (self.names, self.small_names)
        }

        #: Numbers that thousands of rows have in common, as one fork has made them all at one moment.
        self._repeated = {
            names: [place for place, name in enumerate(names) if name == "parent" or name.endswith("_at")]
            for names in (self.names, self.small_names)
        }

    def columns(self, records: Iterable[Any]) -> list[Values]:
        """Return new records column by column, in the order of ``fields``."""
        rows = zip(*map(self._all, records), strict=True)
        return [field.values(column) for field, column in zip(self.fields, rows, strict=True)]

    def field(self, name: str) -> Field:
        """Return the field of this name."""
        return self.fields[self.names.index(name)]

    def changes(self, records: Iterable[Any], before: Iterable[Any]) -> list[Values]:
        """Return what to write over existing records, column by column in the order of ``changing``.

        ``before`` has for each record what it was made from, or None.
        """
        rows = zip(*map(self._changing, records), strict=True)
        nothing = (_UNKNOWN,) * len(self.changing)
        old = zip(*(nothing if record is None else self._changing(record) for record in before), strict=True)
        return [field.changed(*pair) for field, *pair in zip(self.changing, rows, old, strict=True)]

    def whole(self, records: Iterable[Any], before: Iterable[Any]) -> list[Values]:
        """Return existing records column by column: first those of ``born``, then what ``changes`` returns."""
        known = list(records)
        rows = zip(*map(self._born, known), strict=True)
        born = [field.values(column) for field, column in zip(self.born, rows, strict=True)]
        return born + self.changes(known, before)

    def payload_bytes(self, rows: Iterable[Sequence[Any]]) -> Counter[str]:
        """Return how large people's data is, in characters of JSON, for each run that these whole rows belong to."""
        found: Counter[str] = Counter()
        for row in rows:
            found[row[self._run]] += sum(len(row[place]) for place in self._large if row[place])
        return found

    def read(self, rows: Sequence[Sequence[Any]], names: tuple[str, ...]) -> list[_R]:
        """Return the records of rows with these columns: ``names``, or ``small_names``, which leave payloads empty."""
        if not rows:
            return []
        columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
        shared: dict[int, int] = {}
        for place in self._repeated[names]:
            columns[place] = map(shared.setdefault, columns[place], columns[place])
        for place, reader in self._readers[names]:
            columns[place] = map(reader, columns[place])
        kind = self._kind
        return [kind(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


WORKFLOW: Final = Record(Workflow, WorkflowStatus, schema.workflow, _IDENTITY_OF_WORKFLOW)
TASK: Final = Record(Task, TaskStatus, schema.task, _IDENTITY_OF_TASK)
