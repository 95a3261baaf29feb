"""Schemas that are registered by name and version, in a store that keeps everything in this process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from engine.model.schema_def import SchemaDef, SchemaKey

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables


class MemorySchemaDefs:
    """The part of a transaction that keeps schemas."""

    _tables: Tables
    _journal: Journal

    def put_schemas(self, schemas: Sequence[SchemaDef]) -> None:
        """See ``SchemaDefs.put_schemas``."""
        for schema in schemas:
            self._journal.put(self._tables.schemas, schema.key, schema)
        self._schemas_changed()

    def add_schema_version(self, schema: SchemaDef) -> int:
        """See ``SchemaDefs.add_schema_version``."""
        latest = self.latest_schema(schema.name)
        number = 1 if latest is None else latest.version + 1
        self.put_schemas([schema.model_copy(update={"version": number})])
        return number

    def schemas(self, keys: Collection[SchemaKey] | None = None) -> dict[SchemaKey, SchemaDef]:
        """See ``SchemaDefs.schemas``."""
        return {key: each for key, each in sorted(self._tables.schemas.items()) if keys is None or key in keys}

    def latest_schema(self, name: str) -> SchemaDef | None:
        """See ``SchemaDefs.latest_schema``."""
        found = [each for each in self._tables.schemas.values() if each.name == name]
        return max(found, key=lambda each: each.version, default=None)

    def drop_schemas(self, name: str, version: int | None = None) -> bool:
        """See ``SchemaDefs.drop_schemas``."""
        doomed = [key for key in self._tables.schemas if key[0] == name and version in (None, key[1])]
        for key in doomed:
            self._journal.drop(self._tables.schemas, key)
        if doomed:
            self._schemas_changed()
        return bool(doomed)

    def _schemas_changed(self) -> None:
        catalog = self._tables.catalog
        self._journal.put(catalog, "version", catalog["version"] + 1)
