"""The tables of runs and tasks in several parts on Postgres, by the hash of the run's id, each with its own indexes."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Table, text

from engine.store.schema import task, workflow

#: The tables that grow and are written by every save, each with the run's id in it.
_TABLES: Final[tuple[tuple[Table, str], ...]] = ((workflow, "id"), (task, "workflow_id"))

_PARTS: Final = text("SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass('workflow')")
_INDEXES: Final = text(
    "SELECT indexdef FROM pg_indexes JOIN pg_index ON indexrelid = to_regclass(quote_ident(indexname)) "
    "WHERE schemaname = current_schema() AND tablename = :table AND NOT indisprimary ORDER BY indexname"
)


def table_parts(connection: Connection) -> int:
    """Return in how many parts the tables are; 0 where they are whole."""
    return connection.scalar(_PARTS) or 0 if connection.dialect.name == "postgresql" else 0


def divide(connection: Connection, parts: int) -> None:
    """Put tables in their place that are in so many parts, with all rows, defaults and indexes that there are."""
    for table, key in _TABLES:
        indexes = list(connection.scalars(_INDEXES, {"table": table.name}))
        for statement in (*_statements(table, key, parts), *indexes):
            connection.exec_driver_sql(statement)


def _statements(table: Table, key: str, parts: int) -> list[str]:
    name = table.name
    columns = ", ".join(column.name for column in table.primary_key)
    filled = table.dialect_options["postgresql"]["with"]["fillfactor"]
    return [
        f"CREATE TABLE {name}_in_parts (LIKE {name} INCLUDING DEFAULTS) PARTITION BY HASH ({key})",
        *(
            f"CREATE TABLE {name}_part_{number} PARTITION OF {name}_in_parts "
            f"FOR VALUES WITH (MODULUS {parts}, REMAINDER {number}) WITH (fillfactor = {filled})"
            for number in range(parts)
        ),
        f"INSERT INTO {name}_in_parts SELECT * FROM {name}",  # noqa: S608
        f"DROP TABLE {name}",
        f"ALTER TABLE {name}_in_parts RENAME TO {name}",
        f"ALTER TABLE {name} ADD CONSTRAINT {name}_pkey PRIMARY KEY ({columns})",
    ]
