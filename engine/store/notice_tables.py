"""The table of notices that their sinks have not taken yet."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text
from sqlalchemy.dialects.mysql import LONGTEXT

from engine.store.schema import JsonText, metadata

_TEXT: Final = Text().with_variant(LONGTEXT(), "mysql")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger(), nullable=False, server_default=text("0"))


#: The key is a digest of id and sink, and the sink has one of its own: both may be longer than an index takes.
held_notice: Final = Table(
    "held_notice",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("sink_digest", String(64), nullable=False),
    *(Column(name, _TEXT, nullable=False) for name in ("id", "sink", "topic")),
    Column("document", JsonText(), nullable=False),
    *(_number(name) for name in ("held_since", "due_at", "attempts")),
    Column("reason", _TEXT, nullable=False),
)
Index("held_notice_due", held_notice.c.due_at)
Index("held_notice_of_sink", held_notice.c.sink_digest)
