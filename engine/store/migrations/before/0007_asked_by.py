"""Tasks that have asked for a run that exists already, by its idempotency key, and are told how it ends."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from engine.store.schema import JsonText

revision: Final = "0007"
down_revision: Final = "0006"


def upgrade() -> None:
    """Add the column, empty for every run so far."""
    op.add_column("workflow", sa.Column("asked_by", JsonText(), nullable=True))


def downgrade() -> None:
    """Take it away: tasks that wait for another one's run hear of its end no more."""
    op.drop_column("workflow", "asked_by")
