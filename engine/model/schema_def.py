"""Schemas that are registered by name and version, so that many definitions can hold to the same one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from engine.model.definition import Long, Text, Version, Written
from engine.model.payload import Json

#: Name and version.
SchemaKey: TypeAlias = tuple[str, int]


class SchemaKind(StrEnum):
    """What a schema is written in; values are checked by JSON only, the others are kept."""

    JSON = "JSON"
    AVRO = "AVRO"
    PROTOBUF = "PROTOBUF"


class SchemaDef(Written):
    """What inputs or outputs must be like."""

    name: Text = ""
    version: Version = 1
    type: SchemaKind = SchemaKind.JSON
    data: dict[str, Json] | None = None
    external_ref: Text | None = None
    owner_app: Text | None = None
    create_time: Long = 0
    update_time: Long = 0
    created_by: Text | None = None
    updated_by: Text | None = None

    @property
    def key(self) -> SchemaKey:
        """What it is registered under."""
        return self.name, self.version


def key_of(schema: Json) -> SchemaKey | None:
    """Return what the schema of a definition is registered under, None unless it is only named there."""
    if not isinstance(schema, Mapping) or schema.get("data"):
        return None
    name, version = schema.get("name"), schema.get("version")
    if not isinstance(name, str) or not name:
        return None
    try:
        return name, 1 if version is None else int(version)
    except (TypeError, ValueError, OverflowError):
        return None
