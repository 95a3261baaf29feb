"""Which processes work on the database, so that nothing is taken away while one of them may still use it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    """Create the table ``process``."""
    op.create_table(
        "process",
        sa.Column("id", sa.String(200), nullable=False),
        *(sa.Column(name, sa.String(50), nullable=False) for name in ("kind", "version", "knows")),
        sa.Column("alive_until", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("process")
