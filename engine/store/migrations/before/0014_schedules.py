"""Schedules, and what became of their dates."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

from engine.store.schema import JsonText

revision: Final = "0014"
down_revision: Final = "0013"

#: What is in an index has a length on MySQL.
_NAME: Final = sa.Text().with_variant(sa.String(512), "mysql")
_ID: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(sa.String(512), "mysql")
_TEXT: Final = sa.Text().with_variant(LONGTEXT(), "mysql")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "schedule",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("body", JsonText(), nullable=False),
        *(_number(name) for name in ("next_at", "wake_at", "buffered_at")),
        sa.Column("last_run", _TEXT, nullable=False),
    )
    op.create_index("schedule_due", "schedule", ["wake_at"])
    op.create_table(
        "schedule_execution",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("schedule", _NAME, nullable=False),
        _number("at"),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("cron", "zone")),
        sa.Column("state", _NAME, nullable=False),
        sa.Column("reason", _TEXT, nullable=True),
        sa.Column("workflow_name", _NAME, nullable=False),
        sa.Column("request", JsonText(), nullable=True),
        sa.Column("cancels", _TEXT, nullable=False),
        *(_number(name) for name in ("executed_at", "sent_at")),
    )
    op.create_index("schedule_execution_latest", "schedule_execution", ["at", "id"])
    op.create_index("schedule_execution_of_schedule", "schedule_execution", ["schedule", "at"])
    op.create_index("schedule_execution_unseen", "schedule_execution", ["state", "sent_at"])


def downgrade() -> None:
    """Take both away: nothing is started by date any more."""
    op.drop_table("schedule_execution")
    op.drop_table("schedule")
