"""An index leads from an idempotency key to the runs that bear it."""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import text

revision: Final = "0019"
down_revision: Final = "0018"

_INDEX: Final = "workflow_by_idempotency_key"


def upgrade() -> None:
    """Make it; most runs have no key and are not in it, but on MySQL, where an index holds every row."""
    present = text("idempotency_key IS NOT NULL")
    op.create_index(
        _INDEX, "workflow", ["idempotency_key"], postgresql_where=present, sqlite_where=present, mysql_length=255
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_index(_INDEX, "workflow")
