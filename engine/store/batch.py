"""What each database does in its own way: writing many rows with one statement, and a few words of SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Column, ColumnElement, Connection, Insert, Table

from engine.store.port import Save

#: From the values that were to be inserted, as columns, to what becomes of the row that has their key already.
Changes = Callable[[Any], Mapping[str, Any]]


class Batch(Protocol):
    """Writes a batch with a constant number of statements, however many runs it holds, but for slices of tasks."""

    def load(
        self, connection: Connection, table: Table, names: Sequence[str], ids: Sequence[str]
    ) -> Iterator[Sequence[Any]]:
        """Yield these columns of all rows that belong to these runs, by the table's primary key, a slice at a time."""
        ...

    def save(self, connection: Connection, saves: Sequence[Save], *, last: bool) -> set[str]:
        """Write runs that are new, or still at the version they were loaded at, and their tasks; return their ids.

        Of a run that has moved on nothing is written. What is the ``last`` of a transaction may be committed at once.
        """
        ...

    def insert_missing(self, table: Table) -> Insert:
        """Return an INSERT that leaves rows alone whose key is there already."""
        ...

    def put(self, table: Table, changes: Changes) -> Insert:
        """Return an INSERT that changes the row instead where its key is there already."""
        ...

    def among(self, column: Column[str], values: Collection[str]) -> ColumnElement[bool]:
        """Return the condition that a column is one of these values, however many there are."""
        ...

    def take_turns(self, connection: Connection, subject: str) -> None:
        """Wait until no other transaction holds this subject; hold it until this one ends."""
        ...
