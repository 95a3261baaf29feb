"""What workers say beside results: lines of logs, and who has polled last."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision: Final = "0017"
down_revision: Final = "0016"

_ID: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(sa.String(512), "mysql")
_TEXT: Final = sa.Text().with_variant(LONGTEXT(), "mysql")
_WORD: Final = sa.Text().with_variant(sa.String(255), "mysql")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "task_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("workflow_id", _ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("line", _TEXT, nullable=False),
    )
    op.create_index("task_log_of_task", "task_log", ["workflow_id", "seq", "id"])
    op.create_table(
        "last_poll",
        sa.Column("task_type", _WORD, nullable=False),
        sa.Column("domain", _WORD, nullable=False),
        sa.Column("worker", _WORD, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task_type", "domain"),
    )
    op.create_index("last_poll_oldest", "last_poll", ["at"])


def downgrade() -> None:
    """Take them away: nothing that a run needs is in them."""
    for table in ("last_poll", "task_log"):
        op.drop_table(table)
