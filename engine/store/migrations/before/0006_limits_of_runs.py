"""Limits of runs: the key under which a run counts, and whether it waits for, or holds, a slot of that key."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"

_TEXT: Final = sa.Text().with_variant(sa.dialects.mysql.LONGTEXT(), "mysql")

#: What may be in an index has a length on MySQL.
_NAME: Final = sa.Text().with_variant(sa.String(512), "mysql")


def upgrade() -> None:
    """Add the columns, which say of every run so far that it is under no limit."""
    op.add_column("workflow", sa.Column("rate_limit_key", _TEXT, nullable=True))
    op.add_column("workflow", sa.Column("slot", _NAME, nullable=False, server_default=sa.text("''")))
    op.add_column("workflow", sa.Column("slot_no", sa.BigInteger(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Take them away: runs that wait for a slot would wait for ever, so have none."""
    for column in ("slot_no", "slot", "rate_limit_key"):
        op.drop_column("workflow", column)
