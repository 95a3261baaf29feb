"""The tables: what is kept of runs, definitions and the machinery around them.

Times are microseconds since the epoch, 0 meaning never. A column named like a field of ``Workflow`` or ``Task`` holds
that field; an empty payload is NULL or ``{}``, which mean the same.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeEngine, UserDefinedType

from engine.model.status import OPEN_WORKFLOW
from engine.wire.fields import TEXT_LIMIT

metadata: Final = MetaData()


class JsonText(UserDefinedType[str]):
    """JSON as the text it was written as: ``json`` on Postgres, TEXT on SQLite, LONGTEXT on MariaDB and MySQL.

    Not ``jsonb`` or MySQL's ``json``, which order keys anew and cost more to write; ``jsonb`` refuses NUL characters.
    """

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name wherever no better one is known."""
        return "TEXT"

    def compare_against_backend(self, _dialect: Any, found: TypeEngine[Any]) -> bool:
        """Tell Alembic whether a column of this type is what the database has."""
        return str(found) in {"TEXT", "JSON", "LONGTEXT"}


@compiles(JsonText, "postgresql")
def _json_on_postgres(*_: Any, **__: Any) -> str:
    return "JSON"


@compiles(JsonText, "mysql")
def _json_on_mysql(*_: Any, **__: Any) -> str:
    return "LONGTEXT"


#: MySQL's TEXT ends at 64 KB. Its texts compare by their bytes, trailing spaces included, as the whole database does.
_TEXT: Final = Text().with_variant(LONGTEXT(), "mysql")

#: What is in an index has a length on MySQL: that which messages may give to names and ids.
_NAME: Final = Text().with_variant(String(TEXT_LIMIT), "mysql")

#: Ids sort by their bytes everywhere: cheaper to compare, and the same order in every database and in Python.
ID: Final = Text().with_variant(Text(collation="C"), "postgresql").with_variant(String(TEXT_LIMIT), "mysql")

#: The id of a task is longer than that of its run.
_TASK_ID: Final = Text().with_variant(Text(collation="C"), "postgresql").with_variant(LONGTEXT(), "mysql")

#: Rowids of SQLite count by themselves only where the type is INTEGER.
_SERIAL: Final = BigInteger().with_variant(Integer(), "sqlite")

#: What open runs have in common; written out, as an index's condition must be.
OPEN_RUNS: Final = "status IN ({})".format(", ".join(f"'{status}'" for status in sorted(OPEN_WORKFLOW)))


def _text(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, _TEXT, nullable=optional)


def _name(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, _NAME, nullable=optional)


def _id(name: str) -> Column[str]:
    return Column(name, ID, nullable=True)


def _task_id(name: str) -> Column[str]:
    return Column(name, _TASK_ID, nullable=True)


def _json(name: str) -> Column[str]:
    return Column(name, JsonText(), nullable=True)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger(), nullable=False, server_default=text("0"))


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean(), nullable=False)


workflow: Final = Table(
    "workflow",
    metadata,
    Column("id", ID, primary_key=True),
    _name("name"),
    _number("version"),
    _text("definition_hash"),
    _name("status"),
    _number("version_no"),
    _number("wake_at"),
    #: When the timekeeper last rang; the one column that the decider does not write.
    _number("rung_at"),
    _json("unconfirmed"),
    _number("last_seq"),
    _json("input"),
    _json("output"),
    _json("variables"),
    _json("task_to_domain"),
    _json("skips"),
    _name("correlation_id", optional=True),
    _number("priority"),
    _id("parent_id"),
    _task_id("parent_task_id"),
    _json("asked_by"),
    _number("depth"),
    _text("created_by", optional=True),
    _text("event", optional=True),
    _text("idempotency_key", optional=True),
    _text("rate_limit_key", optional=True),
    Column("slot", _NAME, nullable=False, server_default=text("''")),
    _number("slot_no"),
    _number("created_at"),
    _number("updated_at"),
    _number("ended_at"),
    _number("last_retried_at"),
    _text("reason", optional=True),
    _task_id("failed_task_id"),
    _json("failed_refs"),
    _json("failed_names"),
    _id("failure_workflow_id"),
    _json("messages"),
    # Room on each page for a second version of every row: a save then writes beside the old one and touches no index.
    # Measured against 70 and 80: a fifth less log and processor time, and no more disk.
    postgresql_with={"fillfactor": "50"},
)

_OPEN: Final[dict[str, Any]] = {"postgresql_where": text(OPEN_RUNS), "sqlite_where": text(OPEN_RUNS)}
Index("workflow_due", workflow.c.wake_at, **_OPEN)
Index("workflow_open", workflow.c.id, **_OPEN)
Index("workflow_newest", workflow.c.created_at, workflow.c.id)
Index("workflow_newest_by_name", workflow.c.name, workflow.c.status, workflow.c.created_at, workflow.c.id)
Index("workflow_newest_by_status", workflow.c.status, workflow.c.created_at, workflow.c.id)
#: Of a text of any length an index on MySQL holds the beginning.
_LENGTHS_ON_MYSQL: Final = {"workflow_by_idempotency_key": 255}
for _column, _index in (
    (workflow.c.correlation_id, "workflow_by_correlation"),
    (workflow.c.parent_id, "workflow_children"),
    (workflow.c.idempotency_key, "workflow_by_idempotency_key"),
):
    _present = text(f"{_column.name} IS NOT NULL")
    _length = _LENGTHS_ON_MYSQL.get(_index)
    Index(_index, _column, postgresql_where=_present, sqlite_where=_present, mysql_length=_length)

#: What these hold on MySQL, where an index has no condition, at most 3,072 bytes, and ends with the row's key anyway.
ON_MYSQL: Final = {
    "workflow_open": ("status",),
    "workflow_newest_by_name": ("name", "created_at"),
    "workflow_newest_by_status": ("status", "created_at"),
}

#: The key leads to a run's tasks in order; a second index would make every task's save write it too.
task: Final = Table(
    "task",
    metadata,
    Column("workflow_id", ID, nullable=False),
    Column("seq", BigInteger(), nullable=False),
    _text("ref"),
    _text("type"),
    _text("name"),
    _number("parent"),
    _text("branch"),
    _number("position"),
    _number("iteration"),
    _number("attempt"),
    _number("retry_of"),
    _flag("retried"),
    _flag("executed"),
    _name("status"),
    _json("input"),
    _json("output"),
    _text("reason", optional=True),
    _name("queue"),
    _text("domain", optional=True),
    _text("worker", optional=True),
    _number("polls"),
    _number("times_begun"),
    _number("callback_after_seconds"),
    _number("first_scheduled_at"),
    _number("scheduled_at"),
    _number("visible_at"),
    _flag("dispatched"),
    Column("slot", _NAME, nullable=False, server_default=text("''")),
    _number("started_at"),
    _number("updated_at"),
    _number("ended_at"),
    _number("due_at"),
    _id("child_id"),
    _json("own_definition"),
    PrimaryKeyConstraint("workflow_id", "seq"),
    postgresql_with={"fillfactor": "50"},
)

#: Snapshots that runs point at.
definition: Final = Table(
    "definition",
    metadata,
    Column("hash", _NAME, primary_key=True),
    Column("body", JsonText(), nullable=False),
)

workflow_definition: Final = Table(
    "workflow_definition",
    metadata,
    Column("name", _NAME, nullable=False),
    Column("version", BigInteger(), nullable=False),
    Column("body", JsonText(), nullable=False),
    PrimaryKeyConstraint("name", "version"),
)

task_definition: Final = Table(
    "task_definition",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("body", JsonText(), nullable=False),
)

#: The audit trail.
request_log: Final = Table(
    "request_log",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("workflow_id", ID, nullable=False),
    _text("event_id"),
    _number("at"),
    _text("verb"),
    _json("arguments"),
    _text("asked_by", optional=True),
    _flag("granted"),
    _number("code"),
    _text("message"),
    _json("result"),
)
Index("request_log_of_workflow", request_log.c.workflow_id, request_log.c.id)

setting: Final = Table(
    "setting",
    metadata,
    Column("key", _NAME, primary_key=True),
    _text("value"),
)

#: Every queue that tasks were published to, and when it was last seen without ready messages.
queue: Final = Table(
    "queue",
    metadata,
    Column("name", _NAME, primary_key=True),
    _number("empty_at"),
)

#: One row for each limited name, and for each key of limited runs in use: locked by whoever changes anything about its
#: slots; and when to look at it by itself.
task_limit: Final = Table(
    "task_limit",
    metadata,
    Column("name", _NAME, primary_key=True),
    _number("wake_at"),
)

#: Tasks, and runs (with a seq below 0), that wait for a slot (``granted_at`` 0), hold one, or held one that still
#: counts for a rate (``released_at``).
limit_slot: Final = Table(
    "limit_slot",
    metadata,
    Column("workflow_id", ID, nullable=False),
    Column("seq", BigInteger(), nullable=False),
    _name("limit_name"),
    _number("priority"),
    _number("since"),
    _number("granted_at"),
    _number("released_at"),
    PrimaryKeyConstraint("workflow_id", "seq"),
)
Index(
    "limit_slot_next",
    limit_slot.c.limit_name,
    limit_slot.c.granted_at,
    limit_slot.c.priority.desc(),
    limit_slot.c.since,
    limit_slot.c.seq,
)

#: Deciders that share the partitions, each until when it counts as alive.
lease_owner: Final = Table(
    "lease_owner",
    metadata,
    Column("owner", _NAME, primary_key=True),
    _number("alive_until"),
)

partition_lease: Final = Table(
    "partition_lease",
    metadata,
    Column("partition", Integer(), primary_key=True, autoincrement=False),
    Column("owner", _NAME, ForeignKey("lease_owner.owner", ondelete="CASCADE"), nullable=False),
)

#: Messages that came back to a decider or starter, each while one has it in hand; a line outlives a process that dies.
in_hand: Final = Table(
    "in_hand",
    metadata,
    Column("message", String(64), nullable=False),
    Column("owner", String(200), nullable=False),
    *(Column(name, String(255), nullable=False) for name in ("queue", "label")),
    _number("at"),
    PrimaryKeyConstraint("message", "owner"),
)

#: Processes that work on these tables, each until when it counts as alive, and what it knows of them.
process: Final = Table(
    "process",
    metadata,
    Column("id", String(200), primary_key=True),
    *(Column(name, String(50), nullable=False) for name in ("kind", "version", "knows")),
    _number("alive_until"),
)
