"""SQLite transactions of the demo's tasks: one writer at a time, all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

#: Seconds that a task waits for another writer; must stay below the tasks' response timeout.
BUSY_SECONDS = 15


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database at ``path`` for one transaction; rows can be read by column name.

    The write lock is taken at once (BEGIN IMMEDIATE): a transaction that first reads and then writes would otherwise
    fail with "database is locked" when two tasks run side by side. Commits at the end, rolls back on any error.
    """
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def create(path: Path, script: str) -> None:
    """Make a fresh database at ``path`` from an SQL script, replacing what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
        connection.commit()
