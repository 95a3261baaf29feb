"""Webhooks, and the tasks that wait for their events."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.dialects.postgresql import JSON

revision: Final = "0015"
down_revision: Final = "0014"

_NAME: Final = sa.Text().with_variant(sa.String(512), "mysql")
_ID: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(sa.String(512), "mysql")
_TEXT: Final = sa.Text().with_variant(LONGTEXT(), "mysql")
_JSON: Final = sa.Text().with_variant(JSON(), "postgresql").with_variant(LONGTEXT(), "mysql")


def upgrade() -> None:
    """Add the tables."""
    op.create_table("webhook", sa.Column("id", _ID, primary_key=True), sa.Column("body", _JSON, nullable=False))
    op.create_table(
        "awaited",
        sa.Column("workflow_id", _ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("workflow_id", "seq"),
    )
    op.create_index("awaited_event", "awaited", ["digest", "workflow_id", "seq"])
    op.create_table(
        "awaited_shape",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("workflow", _NAME, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("paths", _TEXT, nullable=False),
    )
    op.create_index("awaited_shape_of_workflow", "awaited_shape", ["workflow"])


def downgrade() -> None:
    """Take them away: tasks that wait for an event can then be ended by hand only."""
    for table in ("awaited_shape", "awaited", "webhook"):
        op.drop_table(table)
