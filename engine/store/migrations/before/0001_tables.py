"""The first tables: definitions, runs with their tasks, the audit trail, and what keeps the machinery going."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision: Final = "0001"
down_revision: Final = None

_TABLES: Final = (
    "workflow",
    "task",
    "definition",
    "workflow_definition",
    "task_definition",
    "request_log",
    "setting",
    "queue",
    "lease_owner",
    "partition_lease",
)

_OPEN: Final = "status IN ('PAUSED', 'RUNNING')"


def _id(name: str, *, nullable: bool = True) -> sa.Column[str]:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(sa.String(512), "mysql")
    return sa.Column(name, kind, nullable=nullable)


def _task_id(name: str) -> sa.Column[str]:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(mysql.LONGTEXT(), "mysql")
    return sa.Column(name, kind, nullable=True)


def _name(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.String(512), "mysql"), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(mysql.LONGTEXT(), "mysql"), nullable=nullable)


def _json(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    kind = sa.Text().with_variant(postgresql.JSON(), "postgresql").with_variant(mysql.LONGTEXT(), "mysql")
    return sa.Column(name, kind, nullable=nullable)


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0")) for name in names]


def _flags(*names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean(), nullable=False) for name in names]


def upgrade() -> None:
    """Create every table and index."""
    _runs()
    _tasks()
    _definitions()
    _machinery()


def _runs() -> None:
    op.create_table(
        "workflow",
        _id("id", nullable=False),
        _name("name"),
        *_numbers("version"),
        _text("definition_hash"),
        _name("status"),
        *_numbers("version_no", "wake_at", "rung_at"),
        _json("unconfirmed"),
        *_numbers("last_seq"),
        _json("input"),
        _json("output"),
        _json("variables"),
        _json("task_to_domain"),
        _name("correlation_id", nullable=True),
        *_numbers("priority"),
        _id("parent_id"),
        _task_id("parent_task_id"),
        *_numbers("depth"),
        _text("created_by", nullable=True),
        _text("event", nullable=True),
        _text("idempotency_key", nullable=True),
        *_numbers("created_at", "updated_at", "ended_at", "last_retried_at"),
        _text("reason", nullable=True),
        _task_id("failed_task_id"),
        _json("failed_refs"),
        _json("failed_names"),
        _id("failure_workflow_id"),
        sa.PrimaryKeyConstraint("id"),
        postgresql_with={"fillfactor": "50"},
    )
    _index("workflow_due", ["wake_at"], _OPEN)
    _index("workflow_open", ["id"], _OPEN, on_mysql=["status"])
    _index("workflow_newest", ["created_at", "id"])
    _index("workflow_newest_by_name", ["name", "created_at", "id"], on_mysql=["name", "created_at"])
    _index("workflow_newest_by_status", ["status", "created_at", "id"], on_mysql=["status", "created_at"])
    _index("workflow_by_correlation", ["correlation_id"], "correlation_id IS NOT NULL")
    _index("workflow_children", ["parent_id"], "parent_id IS NOT NULL")


def _index(name: str, columns: list[str], condition: str | None = None, on_mysql: list[str] | None = None) -> None:
    where = None if condition is None else sa.text(condition)
    if on_mysql and op.get_bind().dialect.name == "mysql":
        columns = on_mysql
    op.create_index(name, "workflow", columns, postgresql_where=where, sqlite_where=where)


def _tasks() -> None:
    op.create_table(
        "task",
        _id("workflow_id", nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _text("ref"),
        _text("type"),
        _text("name"),
        *_numbers("parent"),
        _text("branch"),
        *_numbers("position", "iteration", "attempt", "retry_of"),
        *_flags("retried", "executed"),
        _name("status"),
        _json("input"),
        _json("output"),
        _text("reason", nullable=True),
        _name("queue"),
        _text("domain", nullable=True),
        _text("worker", nullable=True),
        *_numbers("polls", "callback_after_seconds", "first_scheduled_at", "scheduled_at", "visible_at"),
        *_flags("dispatched"),
        *_numbers("started_at", "updated_at", "ended_at", "due_at"),
        _id("child_id"),
        _json("own_definition"),
        sa.PrimaryKeyConstraint("workflow_id", "seq"),
        postgresql_with={"fillfactor": "50"},
    )


def _definitions() -> None:
    op.create_table("definition", _name("hash"), _json("body", nullable=False), sa.PrimaryKeyConstraint("hash"))
    op.create_table(
        "workflow_definition",
        _name("name"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _json("body", nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
    )
    op.create_table("task_definition", _name("name"), _json("body", nullable=False), sa.PrimaryKeyConstraint("name"))


def _machinery() -> None:
    op.create_table(
        "request_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        _id("workflow_id", nullable=False),
        _text("event_id"),
        *_numbers("at"),
        _text("verb"),
        _json("arguments"),
        _text("asked_by", nullable=True),
        *_flags("granted"),
        *_numbers("code"),
        _text("message"),
        _json("result"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("request_log_of_workflow", "request_log", ["workflow_id", "id"])
    op.create_table("setting", _name("key"), _text("value"), sa.PrimaryKeyConstraint("key"))
    op.create_table("queue", _name("name"), *_numbers("empty_at"), sa.PrimaryKeyConstraint("name"))
    op.create_table("lease_owner", _name("owner"), *_numbers("alive_until"), sa.PrimaryKeyConstraint("owner"))
    op.create_table(
        "partition_lease",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        _name("owner"),
        sa.PrimaryKeyConstraint("partition"),
        sa.ForeignKeyConstraint(["owner"], ["lease_owner.owner"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Drop every table, and all that is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)
