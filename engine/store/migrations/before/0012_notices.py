"""Notices that their sinks have not taken yet."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.dialects.postgresql import JSON

revision: Final = "0012"
down_revision: Final = "0011"

_TEXT: Final = sa.Text().with_variant(LONGTEXT(), "mysql")
_JSON: Final = sa.Text().with_variant(JSON(), "postgresql").with_variant(LONGTEXT(), "mysql")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "held_notice",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("sink_digest", sa.String(64), nullable=False),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("id", "sink", "topic")),
        sa.Column("document", _JSON, nullable=False),
        *(_number(name) for name in ("held_since", "due_at", "attempts")),
        sa.Column("reason", _TEXT, nullable=False),
    )
    op.create_index("held_notice_due", "held_notice", ["due_at"])
    op.create_index("held_notice_of_sink", "held_notice", ["sink_digest"])


def downgrade() -> None:
    """Take it away, with the notices that wait."""
    op.drop_table("held_notice")
