"""Schemas that are registered by name and version."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Connection, delete, select

from engine.model.schema_def import SchemaDef, SchemaKey
from engine.store.batch import Batch
from engine.store.codec import LARGEST, decode, encode, storable
from engine.store.definitions import count_change
from engine.store.schema_def_tables import schema_definition

#: What those who add versions take turns at.
_VERSIONS: Final = "baton.schemas"


class StoredSchemaDefs:
    """The part of a transaction that keeps schemas."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def put_schemas(self, schemas: Sequence[SchemaDef]) -> None:
        """See ``SchemaDefs.put_schemas``."""
        if not schemas:
            return
        # One row for each key, in one order everywhere: two registrations at a time then wait for each other.
        last = {(storable(each.name), each.version): each for each in schemas}
        rows = [
            {"name": name, "version": version, "body": encode(each.to_json())}
            for (name, version), each in sorted(last.items())
        ]
        self._connection.execute(self._batch.put(schema_definition, lambda given: {"body": given.body}), rows)
        count_change(self._connection, self._batch)

    def add_schema_version(self, schema: SchemaDef) -> int:
        """See ``SchemaDefs.add_schema_version``."""
        self._batch.take_turns(self._connection, _VERSIONS)
        latest = self.latest_schema(schema.name)
        number = 1 if latest is None else latest.version + 1
        self.put_schemas([schema.model_copy(update={"version": number})])
        return number

    def schemas(self, keys: Collection[SchemaKey] | None = None) -> dict[SchemaKey, SchemaDef]:
        """See ``SchemaDefs.schemas``."""
        columns = schema_definition.c
        query = select(columns.body)
        if keys is not None:
            query = query.where(self._batch.among(columns.name, sorted({storable(name) for name, _ in keys})))
        found = (SchemaDef.model_validate(decode(body)) for body in self._connection.scalars(query))
        return {each.key: each for each in sorted(found, key=lambda each: each.key) if keys is None or each.key in keys}

    def latest_schema(self, name: str) -> SchemaDef | None:
        """See ``SchemaDefs.latest_schema``."""
        columns = schema_definition.c
        query = select(columns.body).where(columns.name == storable(name)).order_by(columns.version.desc()).limit(1)
        body = self._connection.scalar(query)
        return None if body is None else SchemaDef.model_validate(decode(body))

    def drop_schemas(self, name: str, version: int | None = None) -> bool:
        """See ``SchemaDefs.drop_schemas``."""
        if version is not None and abs(version) > LARGEST:
            return False
        doomed = delete(schema_definition).where(schema_definition.c.name == storable(name))
        if version is not None:
            doomed = doomed.where(schema_definition.c.version == version)
        gone = self._connection.execute(doomed).rowcount > 0
        if gone:
            count_change(self._connection, self._batch)
        return gone
