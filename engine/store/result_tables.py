"""The table of results that are kept for later tasks."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, String, Table

from engine.store.schema import JsonText, metadata

#: Outputs, each under the digest of the task's name and key.
kept_result: Final = Table(
    "kept_result",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("output", JsonText(), nullable=False),
    Column("until", BigInteger(), nullable=False),
)
Index("kept_result_until", kept_result.c.until)
