"""How far a database has come with the migrations of each kind, and taking it further; inside a given transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection, Engine, func, literal, select
from sqlalchemy.dialects.mysql.base import MySQLDialect

from engine.errors import SchemaTooNew, StoreUnavailable
from engine.store.database import faults_told_apart, open_database

#: Where the migrations are: a folder for each kind.
SCRIPTS: Final = Path(__file__).parent / "migrations"


class Kind(StrEnum):
    """When a migration may run: before a new version's first process starts, or after the old one's last has ended."""

    BEFORE = "before"
    AFTER = "after"


#: Seconds to wait for whoever changes the tables of a MySQL just now.
_LONGEST_SECONDS: Final = 3600

#: Where the database says how far each kind has come.
VERSION_TABLES: Final = {Kind.BEFORE: "alembic_version", Kind.AFTER: "alembic_version_after"}


class Standing(Struct, frozen=True):
    """How far a database has come with one kind of migration: the newest revision, and those it lacks, oldest first.

    ``unknown`` tells that the newest one is of a newer version than this.
    """

    newest: str | None
    missing: tuple[str, ...]
    unknown: bool


@cache
def revisions(kind: Kind, scripts: Path = SCRIPTS) -> tuple[str, ...]:
    """Return every revision of a kind that this version knows, oldest first."""
    history = ScriptDirectory.from_config(_config(kind, scripts))
    return tuple(script.revision for script in history.walk_revisions())[::-1]


def standing(connection: Connection, kind: Kind, scripts: Path = SCRIPTS) -> Standing:
    """Return how far the database has come with one kind of migration."""
    options = {"version_table": VERSION_TABLES[kind]}
    newest = MigrationContext.configure(connection, opts=options).get_current_revision()
    known = revisions(kind, scripts)
    if newest is None:
        return Standing(None, known, unknown=False)
    if newest not in known:
        # Revisions of a kind stand in one row, so that a newer one implies all of ours.
        return Standing(newest, (), unknown=True)
    return Standing(newest, known[known.index(newest) + 1 :], unknown=False)


def refuse_unknown(connection: Connection, scripts: Path = SCRIPTS) -> None:
    """Raise ``SchemaTooNew`` when a newer version has taken away what this one may need."""
    reached = standing(connection, Kind.AFTER, scripts)
    if reached.unknown:
        raise SchemaTooNew(
            f"The database's tables are those of a newer version of Baton: its migration {reached.newest} has taken "
            "away what this version may need. Start the version that ran 'baton migrate --after', or restore a backup "
            "from before that."
        )


def advance(connection: Connection, kind: Kind, scripts: Path = SCRIPTS) -> tuple[str, ...]:
    """Run all migrations of a kind that the database lacks; return their revisions, oldest first."""
    missing = standing(connection, kind, scripts).missing
    if missing:
        _compare_by_bytes(connection)
        command.upgrade(_config(kind, scripts, connection), "head")
    return missing


def retreat(connection: Connection, kind: Kind, scripts: Path = SCRIPTS) -> None:
    """Undo all migrations of a kind."""
    if standing(connection, kind, scripts).newest is not None:
        command.downgrade(_config(kind, scripts, connection), "base")


@contextmanager
def connected(at: str | Engine, *, alone: bool = False) -> Iterator[Connection]:
    """Open a transaction, on one of a pool or at a URL on one of its own; ``alone`` among those that change tables.

    Raises ``StoreUnavailable`` when the database cannot be reached, ``BadConfiguration`` for an unusable URL.
    """
    database = open_database(at, pool_size=1) if isinstance(at, str) else at
    try:
        with faults_told_apart(database), database.begin() as connection:
            lock = _LOCKS.get(connection.dialect.name)
            if alone and lock is not None:
                lock(connection)
            yield connection
    finally:
        if isinstance(at, str):
            database.dispose()


def _lock_postgres(connection: Connection) -> None:
    key = func.hashtextextended(literal("baton.migrate"), 0)
    connection.execute(select(func.pg_advisory_xact_lock(key)))


def _lock_mysql(connection: Connection) -> None:
    """Wait for a lock that ends with the connection: there, each change of a table ends a transaction."""
    name = func.concat("baton.migrate.", func.md5(func.database()))
    if connection.scalar(select(func.get_lock(name, _LONGEST_SECONDS))) != 1:
        raise StoreUnavailable(f"Another process has been changing the tables for more than {_LONGEST_SECONDS} s")


def _compare_by_bytes(connection: Connection) -> None:
    """Have the texts of all tables to come tell capitals, accents and trailing spaces apart, as elsewhere."""
    dialect = connection.dialect
    if isinstance(dialect, MySQLDialect):
        collation = "utf8mb4_nopad_bin" if dialect.is_mariadb else "utf8mb4_0900_bin"
        connection.exec_driver_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {collation}")


_LOCKS: Final[Mapping[str, Callable[[Connection], None]]] = {
    "postgresql": _lock_postgres,
    "mysql": _lock_mysql,
}


def _config(kind: Kind, scripts: Path, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", _escaped(scripts))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", _escaped(scripts / kind))
    config.attributes.update(connection=connection, version_table=VERSION_TABLES[kind])
    return config


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
