"""Limits of task names: who waits for a slot, who holds one, and the word of it in the task's own row."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"


#: What is in an index has a length on MySQL.
_NAME: Final = sa.Text().with_variant(sa.String(512), "mysql")
_ID: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(sa.String(512), "mysql")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))


def upgrade() -> None:
    """Add the tables, and the column that says of every task so far that it needs no slot."""
    op.create_table("task_limit", sa.Column("name", _NAME, primary_key=True), _number("wake_at"))
    op.create_table(
        "limit_slot",
        sa.Column("workflow_id", _ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("limit_name", _NAME, nullable=False),
        _number("priority"),
        _number("since"),
        _number("granted_at"),
        _number("released_at"),
        sa.PrimaryKeyConstraint("workflow_id", "seq"),
    )
    urgent = sa.text("priority DESC")
    op.create_index("limit_slot_next", "limit_slot", ["limit_name", "granted_at", urgent, "since", "seq"])
    op.add_column("task", sa.Column("slot", _NAME, nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    """Take both away: limited tasks that wait would wait for ever, so have none."""
    op.drop_column("task", "slot")
    op.drop_table("limit_slot")
    op.drop_table("task_limit")
