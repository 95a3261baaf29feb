"""The index that finds a workflow's newest runs finds those in one status too.

On MariaDB and MySQL an index has no room for both; there it stays as it is.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision: Final = "0018"
down_revision: Final = "0017"

_INDEX: Final = "workflow_newest_by_name"


def upgrade() -> None:
    """Make it anew: a column more, and no more to be written than before."""
    _made_of("name", "status", "created_at", "id")


def downgrade() -> None:
    """Leave the status out again."""
    _made_of("name", "created_at", "id")


def _made_of(*columns: str) -> None:
    if op.get_bind().dialect.name != "mysql":
        op.drop_index(_INDEX, "workflow")
        op.create_index(_INDEX, "workflow", list(columns))
