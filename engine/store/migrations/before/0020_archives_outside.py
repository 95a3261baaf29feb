"""Archives of removed runs may be kept outside of the database."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0020"
down_revision: Final = "0019"

#: What each index holds; on MariaDB and MySQL, which know no conditions, every removed run.
_INDEXES: Final = {"removed_run_in_row": "body IS NOT NULL", "removed_run_outside": "moved_at > 0"}


def upgrade() -> None:
    """Say of every archive so far that it is in its row, and find those that are, or are not, by their age."""
    for name in ("moving_at", "moved_at"):
        op.add_column("removed_run", sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    for name, kept in _INDEXES.items():
        op.create_index(name, "removed_run", ["at"], postgresql_where=sa.text(kept), sqlite_where=sa.text(kept))


def downgrade() -> None:
    """Forget which archives are outside; nobody reads those then."""
    for name in _INDEXES:
        op.drop_index(name, "removed_run")
    for name in ("moved_at", "moving_at"):
        op.drop_column("removed_run", name)
