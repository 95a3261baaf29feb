"""The tables of webhooks, and of the tasks that wait for their events."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, String, Table, Text
from sqlalchemy.dialects.mysql import LONGTEXT

from engine.store.schema import JsonText, metadata
from engine.wire.fields import TEXT_LIMIT

_NAME: Final = Text().with_variant(String(TEXT_LIMIT), "mysql")
_ID: Final = Text().with_variant(Text(collation="C"), "postgresql").with_variant(String(TEXT_LIMIT), "mysql")
_TEXT: Final = Text().with_variant(LONGTEXT(), "mysql")

webhook: Final = Table(
    "webhook",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("body", JsonText(), nullable=False),
)

#: Tasks that wait for an event, by the digest of workflow, version, paths and values.
awaited: Final = Table(
    "awaited",
    metadata,
    Column("workflow_id", _ID, nullable=False),
    Column("seq", BigInteger(), nullable=False),
    Column("digest", String(64), nullable=False),
    PrimaryKeyConstraint("workflow_id", "seq"),
)
Index("awaited_event", awaited.c.digest, awaited.c.workflow_id, awaited.c.seq)

#: The paths that tasks of a workflow look at; a row for each set of them, however many tasks wait.
awaited_shape: Final = Table(
    "awaited_shape",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("workflow", _NAME, nullable=False),
    Column("version", BigInteger(), nullable=False),
    Column("paths", _TEXT, nullable=False),
)
Index("awaited_shape_of_workflow", awaited_shape.c.workflow)
