"""The tables of event handlers: their definitions, and what they have done."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text
from sqlalchemy.dialects.mysql import LONGTEXT

from engine.store.schema import JsonText, metadata
from engine.wire.fields import TEXT_LIMIT

_NAME: Final = Text().with_variant(String(TEXT_LIMIT), "mysql")
_TEXT: Final = Text().with_variant(LONGTEXT(), "mysql")

event_handler: Final = Table(
    "event_handler",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("body", JsonText(), nullable=False),
)

#: One row for each action of a handler and message; the key is a digest of all three.
event_execution: Final = Table(
    "event_execution",
    metadata,
    Column("key", String(36), primary_key=True),
    Column("handler", _NAME, nullable=False),
    *(Column(name, _TEXT, nullable=False) for name in ("event", "message_id")),
    Column("number", BigInteger(), nullable=False, server_default=text("0")),
    Column("action", _TEXT, nullable=True),
    Column("status", _TEXT, nullable=False),
    Column("output", JsonText(), nullable=True),
    Column("at", BigInteger(), nullable=False, server_default=text("0")),
)
Index("event_execution_newest", event_execution.c.at, event_execution.c.key)
