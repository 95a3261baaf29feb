"""Schemas that are registered by name and version."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.dialects.postgresql import JSON

revision: Final = "0016"
down_revision: Final = "0015"

_NAME: Final = sa.Text().with_variant(sa.String(512), "mysql")
_JSON: Final = sa.Text().with_variant(JSON(), "postgresql").with_variant(LONGTEXT(), "mysql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "schema_definition",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("body", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
    )


def downgrade() -> None:
    """Take it away: definitions that only name a schema are then held to none."""
    op.drop_table("schema_definition")
