"""Messages that were sent to a run and that no task of it has taken yet."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision: Final = "0008"
down_revision: Final = "0007"


def upgrade() -> None:
    """Add the column; a process that does not know it leaves what is in it alone."""
    kind = sa.Text().with_variant(postgresql.JSON(), "postgresql").with_variant(mysql.LONGTEXT(), "mysql")
    op.add_column("workflow", sa.Column("messages", kind, nullable=True))


def downgrade() -> None:
    """Take the column away, and what nobody has taken with it."""
    op.drop_column("workflow", "messages")
