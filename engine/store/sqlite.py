"""Batches on SQLite: the same statement run for one row after the other, inside a transaction that is alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Insert, Table, Text, column, func, select
from sqlalchemy.dialects import sqlite

from engine.model.execution import Task, Workflow
from engine.store.batch import Changes
from engine.store.codec import storable
from engine.store.port import Save
from engine.store.records import TASK, WORKFLOW, Record
from engine.store.slices import fetched
from engine.store.stepwise import StepwiseBatch


def _insert(record: Record[Any]) -> str:
    places = ", ".join("?" * len(record.names))
    return f"INSERT INTO {record.table.name} ({', '.join(record.names)}) VALUES ({places})"  # noqa: S608


def _update(record: Record[Any], keys: Sequence[str]) -> str:
    settings = ", ".join(
        f"{each.name} = coalesce(?, {each.name})" if each.may_stay else f"{each.name} = ?" for each in record.changing
    )
    condition = " AND ".join(f"{key} = ?" for key in keys)
    return f"UPDATE {record.table.name} SET {settings} WHERE {condition}"  # noqa: S608


_INSERT_WORKFLOWS: Final = _insert(WORKFLOW)
_UPDATE_WORKFLOWS: Final = _update(WORKFLOW, ["id"])
_INSERT_TASKS: Final = _insert(TASK)
_UPDATE_TASKS: Final = _update(TASK, ["workflow_id", "seq"])


class SqliteBatch(StepwiseBatch):
    """Writes batches to SQLite. Nobody else writes meanwhile, so looking first and writing then is safe."""

    def load(
        self, connection: Connection, table: Table, names: Sequence[str], ids: Sequence[str]
    ) -> Iterator[Sequence[Any]]:
        """See ``Batch.load``."""
        keys = [each.name for each in table.primary_key]
        statement = (
            f"SELECT {', '.join(names)} FROM {table.name} "  # noqa: S608
            f"WHERE {keys[0]} IN (SELECT value FROM json_each(?)) ORDER BY {', '.join(keys)}"
        )
        with connection.exec_driver_sql(statement, (json.dumps(list(ids)),)) as result:
            yield from fetched(result.cursor)

    def _versions(self, connection: Connection, ids: Sequence[str]) -> dict[str, int]:
        return dict(chain.from_iterable(self.load(connection, WORKFLOW.table, ["id", "version_no"], ids)))

    def _insert_workflows(self, connection: Connection, workflows: Sequence[Workflow]) -> set[str]:
        existing = self._versions(connection, [each.id for each in workflows])
        new = [each for each in workflows if each.id not in existing]
        if new:
            connection.exec_driver_sql(_INSERT_WORKFLOWS, list(zip(*WORKFLOW.columns(new), strict=True)))
        return {each.id for each in new}

    def _update_workflows(self, connection: Connection, saves: Sequence[Save]) -> set[str]:
        stored = self._versions(connection, [save.workflow.id for save in saves])
        fitting = [save for save in saves if stored.get(save.workflow.id) == save.loaded_version]
        ids = [save.workflow.id for save in fitting]
        if fitting:
            columns = WORKFLOW.changes([save.workflow for save in fitting], [save.before for save in fitting])
            connection.exec_driver_sql(_UPDATE_WORKFLOWS, list(zip(*columns, ids, strict=True)))
        return set(ids)

    def _insert_tasks(self, connection: Connection, tasks: Sequence[Task]) -> None:
        connection.exec_driver_sql(_INSERT_TASKS, list(zip(*TASK.columns(tasks), strict=True)))

    def _update_tasks(self, connection: Connection, tasks: Sequence[Task], before: Sequence[Task | None]) -> None:
        keys = ([task.workflow_id for task in tasks], [task.seq for task in tasks])
        connection.exec_driver_sql(_UPDATE_TASKS, list(zip(*TASK.changes(tasks, before), *keys, strict=True)))

    def insert_missing(self, table: Table) -> Insert:
        """See ``Batch.insert_missing``."""
        return sqlite.insert(table).on_conflict_do_nothing()

    def put(self, table: Table, changes: Changes) -> Insert:
        """See ``Batch.put``."""
        put = sqlite.insert(table)
        return put.on_conflict_do_update(index_elements=table.primary_key, set_=changes(put.excluded))

    def among(self, wanted: Column[str], values: Collection[str]) -> ColumnElement[bool]:
        """See ``Batch.among``."""
        listed = func.json_each(json.dumps([storable(each) for each in values])).table_valued(column("value", Text()))
        return wanted.in_(select(listed.c.value))

    def take_turns(self, connection: Connection, subject: str) -> None:
        """Do nothing: every transaction is alone from its beginning."""
