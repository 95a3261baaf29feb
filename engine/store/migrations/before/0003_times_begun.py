"""How often a worker has begun an attempt: what ends those that kill one worker after the other."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """Add the count; a process that does not know it leaves it at 0."""
    op.add_column("task", sa.Column("times_begun", sa.BigInteger(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Take the count away."""
    op.drop_column("task", "times_begun")
