"""What runs were before they were done over, and runs that were removed."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision: Final = "0009"
down_revision: Final = "0008"


#: What is in an index has a length on MySQL.
_ID: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(sa.String(512), "mysql")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))


def _json(*, nullable: bool = False) -> sa.Column[str]:
    kind = sa.Text().with_variant(postgresql.JSON(), "postgresql").with_variant(mysql.LONGTEXT(), "mysql")
    return sa.Column("body", kind, nullable=nullable)


def upgrade() -> None:
    """Add the three tables."""
    op.create_table(
        "earlier_round",
        sa.Column("workflow_id", _ID, nullable=False),
        _number("number"),
        _number("at"),
        _json(),
        sa.PrimaryKeyConstraint("workflow_id", "number"),
    )
    op.create_table(
        "earlier_task",
        sa.Column("workflow_id", _ID, nullable=False),
        _number("seq"),
        _number("number"),
        _json(),
        sa.PrimaryKeyConstraint("workflow_id", "seq"),
    )
    op.create_table(
        "removed_run",
        sa.Column("id", _ID, primary_key=True),
        _number("at"),
        _json(nullable=True),
    )


def downgrade() -> None:
    """Take them away, and what they say."""
    for table in ("removed_run", "earlier_task", "earlier_round"):
        op.drop_table(table)
