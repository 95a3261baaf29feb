"""Results of tasks that are kept for later ones."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from engine.store.schema import JsonText

revision: Final = "0011"
down_revision: Final = "0010"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "kept_result",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("output", JsonText(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_index("kept_result_until", "kept_result", ["until"])


def downgrade() -> None:
    """Take it away: what was kept is found anew."""
    op.drop_table("kept_result")
