"""Event handlers, and what they have done about which message."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision: Final = "0010"
down_revision: Final = "0009"

#: What is in an index has a length on MySQL.
_NAME: Final = sa.Text().with_variant(sa.String(512), "mysql")
_TEXT: Final = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")
_JSON: Final = sa.Text().with_variant(postgresql.JSON(), "postgresql").with_variant(mysql.LONGTEXT(), "mysql")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "event_handler",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("body", _JSON, nullable=False),
    )
    op.create_table(
        "event_execution",
        sa.Column("key", sa.String(36), primary_key=True),
        sa.Column("handler", _NAME, nullable=False),
        sa.Column("event", _TEXT, nullable=False),
        sa.Column("message_id", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("action", _TEXT, nullable=True),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("output", _JSON, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    op.create_index("event_execution_newest", "event_execution", ["at", "key"])


def downgrade() -> None:
    """Take both away."""
    op.drop_table("event_execution")
    op.drop_table("event_handler")
