"""What a store keeps of schemas that are registered by name and version."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from engine.model.schema_def import SchemaDef, SchemaKey


class SchemaDefs(Protocol):
    """The part of a transaction that keeps schemas."""

    def put_schemas(self, schemas: Sequence[SchemaDef]) -> None:
        """Store schemas, replacing those of the same name and version."""
        ...

    def add_schema_version(self, schema: SchemaDef) -> int:
        """Store a schema behind the highest version of its name, and return its number.

        Of two transactions that do so at a time, one waits for the other.
        """
        ...

    def schemas(self, keys: Collection[SchemaKey] | None = None) -> dict[SchemaKey, SchemaDef]:
        """Return schemas by name and version, in that order; all of them when ``keys`` is None."""
        ...

    def latest_schema(self, name: str) -> SchemaDef | None:
        """Return the schema of this name with the highest version."""
        ...

    def drop_schemas(self, name: str, version: int | None = None) -> bool:
        """Forget a version of a schema, or all of them; False when there was none."""
        ...
