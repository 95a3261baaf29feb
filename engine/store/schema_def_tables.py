"""The table of schemas that are registered by name and version."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String, Table, Text

from engine.store.schema import JsonText, metadata
from engine.wire.fields import TEXT_LIMIT

_NAME: Final = Text().with_variant(String(TEXT_LIMIT), "mysql")

schema_definition: Final = Table(
    "schema_definition",
    metadata,
    Column("name", _NAME, nullable=False),
    Column("version", BigInteger(), nullable=False),
    Column("body", JsonText(), nullable=False),
    PrimaryKeyConstraint("name", "version"),
)
