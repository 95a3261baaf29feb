"""Steps that are to be passed over when the flow comes to them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from engine.store.schema import JsonText

revision: Final = "0013"
down_revision: Final = "0012"


def upgrade() -> None:
    """Add the column, empty for every run so far."""
    op.add_column("workflow", sa.Column("skips", JsonText(), nullable=True))


def downgrade() -> None:
    """Take it away: what was to be skipped is carried out."""
    op.drop_column("workflow", "skips")
