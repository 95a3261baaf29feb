"""Batches on MariaDB and MySQL: statements of many rows, on runs that are locked before they are written over.

There is no RETURNING for what was changed, so the rows of a batch are locked and looked at first, and what fits is
then written by an INSERT of many rows that changes the rows it meets. A join with ``JSON_TABLE`` would need one
statement less, but MariaDB makes a table on disk of it when it holds long texts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Insert, Table
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError

from engine.errors import StoreUnavailable
from engine.model.execution import Task, Workflow
from engine.store.batch import Changes
from engine.store.codec import storable
from engine.store.port import Save
from engine.store.records import TASK, WORKFLOW, Record
from engine.store.schema import setting
from engine.store.slices import fetched
from engine.store.stepwise import StepwiseBatch

#: Ids in one statement: MySQL gives up on ranges of some ten thousand values, and reads the whole table instead.
_IDS: Final = 1_000


def _insert(table: Table, names: Sequence[str]) -> str:
    columns = ", ".join(f"`{name}`" for name in names)
    return f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608


def _update(record: Record[Any]) -> str:
    settings = ", ".join(
        f"`{each.name}` = COALESCE(VALUES(`{each.name}`), `{each.name}`)"
        if each.may_stay
        else f"`{each.name}` = VALUES(`{each.name}`)"
        for each in record.changing
    )
    names = [field.name for field in (*record.born, *record.changing)]
    return f"{_insert(record.table, names)} ON DUPLICATE KEY UPDATE {settings}"


_INSERT_WORKFLOWS: Final = _insert(WORKFLOW.table, WORKFLOW.names)
_UPDATE_WORKFLOWS: Final = _update(WORKFLOW)
_INSERT_TASKS: Final = _insert(TASK.table, TASK.names)
_UPDATE_TASKS: Final = _update(TASK)
_TAKE_TURNS: Final = _insert(setting, ["key", "value"]) + " ON DUPLICATE KEY UPDATE `value` = `value`"


class MysqlBatch(StepwiseBatch):
    """Writes batches to MariaDB and MySQL."""

    def load(
        self, connection: Connection, table: Table, names: Sequence[str], ids: Sequence[str]
    ) -> Iterator[Sequence[Any]]:
        """See ``Batch.load``."""
        return _select(connection, table, names, ids)

    def _locked(self, connection: Connection, ids: Sequence[str]) -> dict[str, int]:
        """Return the versions of those runs that exist, and keep everybody else from changing them."""
        return dict(chain.from_iterable(_select(connection, WORKFLOW.table, ["id", "version_no"], ids, " FOR UPDATE")))

    def _insert_workflows(self, connection: Connection, workflows: Sequence[Workflow]) -> set[str]:
        existing = self._locked(connection, [each.id for each in workflows])
        new = [each for each in workflows if each.id not in existing]
        if new:
            try:
                connection.exec_driver_sql(_INSERT_WORKFLOWS, list(zip(*WORKFLOW.columns(new), strict=True)))
            except IntegrityError as error:
                # Nothing can be locked that does not exist yet; tried again, it is found.
                raise StoreUnavailable("Another process has begun one of these runs at the same moment") from error
        return {each.id for each in new}

    def _update_workflows(self, connection: Connection, saves: Sequence[Save]) -> set[str]:
        stored = self._locked(connection, [save.workflow.id for save in saves])
        fitting = [save for save in saves if stored.get(save.workflow.id) == save.loaded_version]
        if fitting:
            columns = WORKFLOW.whole([save.workflow for save in fitting], [save.before for save in fitting])
            connection.exec_driver_sql(_UPDATE_WORKFLOWS, list(zip(*columns, strict=True)))
        return {save.workflow.id for save in fitting}

    def _insert_tasks(self, connection: Connection, tasks: Sequence[Task]) -> None:
        connection.exec_driver_sql(_INSERT_TASKS, list(zip(*TASK.columns(tasks), strict=True)))

    def _update_tasks(self, connection: Connection, tasks: Sequence[Task], before: Sequence[Task | None]) -> None:
        connection.exec_driver_sql(_UPDATE_TASKS, list(zip(*TASK.whole(tasks, before), strict=True)))

    def insert_missing(self, table: Table) -> Insert:
        """See ``Batch.insert_missing``."""
        # Not INSERT IGNORE, which also cuts off texts that are too long.
        first = next(iter(table.primary_key))
        return mysql.insert(table).on_duplicate_key_update({first.name: first})

    def put(self, table: Table, changes: Changes) -> Insert:
        """See ``Batch.put``."""
        put = mysql.insert(table)
        return put.on_duplicate_key_update(dict(changes(put.inserted)))

    def among(self, column: Column[str], values: Collection[str]) -> ColumnElement[bool]:
        """See ``Batch.among``."""
        return column.in_([storable(each) for each in values])

    def take_turns(self, connection: Connection, subject: str) -> None:
        """See ``Batch.take_turns``."""
        # The server's named locks would outlive the transaction; a row's lock ends with it.
        connection.exec_driver_sql(_TAKE_TURNS, (subject, ""))


def _select(
    connection: Connection, table: Table, names: Sequence[str], ids: Sequence[str], ending: str = ""
) -> Iterator[Sequence[Any]]:
    """Yield these columns of the rows that belong to these runs; each run's rows stand together, by the key."""
    keys = [f"`{column.name}`" for column in table.primary_key]
    columns = ", ".join(f"`{name}`" for name in names)
    for start in range(0, len(ids), _IDS):
        some = tuple(ids[start : start + _IDS])
        statement = (
            f"SELECT {columns} FROM {table.name} WHERE {keys[0]} IN ({', '.join(['%s'] * len(some))}) "  # noqa: S608
            f"ORDER BY {', '.join(keys)}{ending}"
        )
        with connection.exec_driver_sql(statement, some) as result:
            yield from fetched(result.cursor)
