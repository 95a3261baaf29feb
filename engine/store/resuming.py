"""Migrations on MariaDB and MySQL, where each change of a table is final: one that was broken off is taken up again."""

from __future__ import annotations

from typing import Any

from alembic.ddl.mysql import MySQLImpl
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Index, Table, inspect


class ResumingSteps(MySQLImpl):
    """Steps that do nothing when they were done before: by this migration, when its process died before the end."""

    def create_table(self, table: Table, **options: Any) -> None:
        """Create a table unless it is there."""
        if not self._tables().has_table(table.name):
            super().create_table(table, **options)

    def drop_table(self, table: Table, **options: Any) -> None:
        """Drop a table if it is there."""
        if self._tables().has_table(table.name):
            super().drop_table(table, **options)

    def create_index(self, index: Index, **options: Any) -> None:
        """Create an index unless it is there."""
        if index.name not in self._indexes(index):
            super().create_index(index, **options)

    def drop_index(self, index: Index, **options: Any) -> None:
        """Drop an index if it is there."""
        if index.name in self._indexes(index):
            super().drop_index(index, **options)

    def add_column(self, table_name: str, column: Column[Any], **options: Any) -> None:
        """Add a column unless it is there."""
        if column.name not in self._columns(table_name):
            super().add_column(table_name, column, **options)

    def drop_column(self, table_name: str, column: Column[Any], **options: Any) -> None:
        """Drop a column if it is there."""
        if column.name in self._columns(table_name):
            super().drop_column(table_name, column, **options)

    def _tables(self) -> Any:
        return inspect(self.connection)

    def _columns(self, table: str) -> set[str]:
        return {column["name"] for column in self._tables().get_columns(table)}

    def _indexes(self, index: Index) -> set[str]:
        assert index.table is not None
        return {each["name"] for each in self._tables().get_indexes(index.table.name)}


def resume(context: MigrationContext) -> None:
    """Have the migrations of this context leave alone what is there already."""
    context.impl = ResumingSteps(context.dialect, context.connection, False, None, None, context.opts)
