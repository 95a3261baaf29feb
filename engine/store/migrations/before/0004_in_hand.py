"""Messages that came back to a decider or starter, while one has them in hand: what shows that they kill it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Create the table ``in_hand``."""
    op.create_table(
        "in_hand",
        sa.Column("message", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        *(sa.Column(name, sa.String(255), nullable=False) for name in ("queue", "label")),
        sa.Column("at", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("message", "owner"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("in_hand")
