"""The tables of what workers say beside results."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text
from sqlalchemy.dialects.mysql import LONGTEXT

from engine.store.schema import ID, metadata

_TEXT: Final = Text().with_variant(LONGTEXT(), "mysql")
#: The two together are a key, whose bytes MySQL bounds; the name of a queue has no more than 255 of them.
_WORD: Final = Text().with_variant(String(255), "mysql")

task_log: Final = Table(
    "task_log",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("workflow_id", ID, nullable=False),
    Column("seq", BigInteger(), nullable=False),
    Column("at", BigInteger(), nullable=False),
    Column("line", _TEXT, nullable=False),
)
Index("task_log_of_task", task_log.c.workflow_id, task_log.c.seq, task_log.c.id)

#: Who has polled last for each type of task in each domain.
last_poll: Final = Table(
    "last_poll",
    metadata,
    Column("task_type", _WORD, nullable=False),
    Column("domain", _WORD, nullable=False),
    Column("worker", _WORD, nullable=True),
    Column("at", BigInteger(), nullable=False),
    PrimaryKeyConstraint("task_type", "domain"),
)
Index("last_poll_oldest", last_poll.c.at)
