"""Definitions: registered ones by name and version, and the snapshots that runs point at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Text, cast, delete, select

from engine.model.definition import TaskDef, WorkflowDef
from engine.store.batch import Batch
from engine.store.codec import LARGEST, decode, encode, storable
from engine.store.schema import definition, setting, task_definition, workflow_definition
from engine.store.slots import ring_at_once, ring_those_of

#: The setting that counts changes of the registry.
CATALOG: Final = "catalog"

#: What those who register workflows take turns at.
_REGISTRATION: Final = "baton.registration"


class Definitions:
    """The part of a transaction that keeps definitions."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def put_snapshot(self, snapshots: Mapping[str, WorkflowDef]) -> None:
        """See ``Transaction.put_snapshot``."""
        rows = [{"hash": key, "body": encode(each.to_json())} for key, each in sorted(snapshots.items())]
        if rows:
            self._connection.execute(self._batch.insert_missing(definition), rows)

    def snapshots(self, hashes: Collection[str]) -> dict[str, WorkflowDef]:
        """See ``Transaction.snapshots``."""
        query = select(definition.c.hash, definition.c.body).where(self._batch.among(definition.c.hash, hashes))
        return {key: _workflow(body) for key, body in self._connection.execute(query)}

    def register_workflow(self, definition: WorkflowDef, *, overwrite: bool) -> bool:
        """See ``Transaction.register_workflow``."""
        # Not every database tells whether an INSERT met a row, so we look; nobody registers anything meanwhile.
        self._batch.take_turns(self._connection, _REGISTRATION)
        if not overwrite and self.workflow_def(definition.name, definition.version) is not None:
            return False
        row = {"name": storable(definition.name), "version": definition.version, "body": encode(definition.to_json())}
        put = self._batch.put(workflow_definition, lambda given: {"body": given.body})
        self._connection.execute(put, row)
        count_change(self._connection, self._batch)
        ring_those_of(self._connection, definition.name)
        return True

    def workflow_def(self, name: str, version: int | None) -> WorkflowDef | None:
        """See ``Transaction.workflow_def``."""
        columns = workflow_definition.c
        if version is not None and abs(version) > LARGEST:
            return None
        query = select(columns.body).where(columns.name == storable(name)).order_by(columns.version.desc()).limit(1)
        if version is not None:
            query = query.where(columns.version == version)
        body = self._connection.scalar(query)
        return None if body is None else _workflow(body)

    def workflow_defs(self, name: str | None = None) -> tuple[WorkflowDef, ...]:
        """See ``Transaction.workflow_defs``."""
        columns = workflow_definition.c
        query = select(columns.name, columns.version, columns.body)
        if name is not None:
            query = query.where(columns.name == storable(name))
        rows = sorted(self._connection.execute(query), key=lambda row: (row.name, row.version))
        return tuple(_workflow(row.body) for row in rows)

    def unregister_workflow(self, name: str, version: int) -> bool:
        """See ``Transaction.unregister_workflow``."""
        columns = workflow_definition.c
        if abs(version) > LARGEST:
            return False
        key = (columns.name == storable(name), columns.version == version)
        known = self._forget(delete(workflow_definition).where(*key))
        if known:
            ring_those_of(self._connection, name)
        return known

    def register_tasks(self, definitions: Sequence[TaskDef]) -> None:
        """See ``Transaction.register_tasks``."""
        if not definitions:
            return
        # One row for each name, in one order everywhere: two registrations at a time then wait for each other.
        last = {storable(each.name): each for each in definitions}
        rows = [{"name": name, "body": encode(each.to_json())} for name, each in sorted(last.items())]
        self._connection.execute(self._batch.put(task_definition, lambda given: {"body": given.body}), rows)
        count_change(self._connection, self._batch)
        ring_at_once(self._connection, self._batch, last)

    def task_defs(self, names: Collection[str] | None = None) -> dict[str, TaskDef]:
        """See ``Transaction.task_defs``."""
        columns = task_definition.c
        query = select(columns.name, columns.body)
        if names is not None:
            query = query.where(self._batch.among(columns.name, names))
        return {name: TaskDef.model_validate(decode(body)) for name, body in self._connection.execute(query)}

    def unregister_task(self, name: str) -> bool:
        """See ``Transaction.unregister_task``."""
        known = self._forget(delete(task_definition).where(task_definition.c.name == storable(name)))
        if known:
            ring_at_once(self._connection, self._batch, [name])
        return known

    def catalog_version(self) -> str:
        """See ``Transaction.catalog_version``."""
        return self._connection.scalar(select(setting.c.value).where(setting.c.key == CATALOG)) or "0"

    def _forget(self, statement: Any) -> bool:
        gone = self._connection.execute(statement).rowcount > 0
        if gone:
            count_change(self._connection, self._batch)
        return gone


def count_change(connection: Connection, batch: Batch) -> None:
    """Have everybody who keeps definitions read them anew."""
    next_number = cast(cast(setting.c.value, BigInteger) + 1, Text)
    put = batch.put(setting, lambda _: {"value": next_number})
    connection.execute(put, {"key": CATALOG, "value": "1"})


def _workflow(body: str) -> WorkflowDef:
    return WorkflowDef.model_validate(decode(body))
