"""The tables of schedules: how far each has come, and what became of its dates."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text
from sqlalchemy.dialects.mysql import LONGTEXT

from engine.store.schema import JsonText, metadata
from engine.wire.fields import TEXT_LIMIT

_NAME: Final = Text().with_variant(String(TEXT_LIMIT), "mysql")
_ID: Final = Text().with_variant(Text(collation="C"), "postgresql").with_variant(String(TEXT_LIMIT), "mysql")
_TEXT: Final = Text().with_variant(LONGTEXT(), "mysql")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger(), nullable=False, server_default=text("0"))


#: Its columns beside the body are the fields of ``Progress``.
schedule: Final = Table(
    "schedule",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("body", JsonText(), nullable=False),
    *(_number(name) for name in ("next_at", "wake_at", "buffered_at")),
    Column("last_run", _TEXT, nullable=False),
)
Index("schedule_due", schedule.c.wake_at)

#: Its columns are the fields of ``ScheduleExecution``.
schedule_execution: Final = Table(
    "schedule_execution",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("schedule", _NAME, nullable=False),
    _number("at"),
    *(Column(name, _TEXT, nullable=False) for name in ("cron", "zone")),
    Column("state", _NAME, nullable=False),
    Column("reason", _TEXT, nullable=True),
    Column("workflow_name", _NAME, nullable=False),
    Column("request", JsonText(), nullable=True),
    Column("cancels", _TEXT, nullable=False),
    *(_number(name) for name in ("executed_at", "sent_at")),
)
Index("schedule_execution_latest", schedule_execution.c.at, schedule_execution.c.id)
Index("schedule_execution_of_schedule", schedule_execution.c.schedule, schedule_execution.c.at)
Index("schedule_execution_unseen", schedule_execution.c.state, schedule_execution.c.sent_at)
