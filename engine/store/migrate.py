"""Bringing a database's tables to what this version needs.

Migrations are of two kinds, each a folder, a row of revisions and a table that says how far it has come. Those in
``before`` add, so that the version before goes on working on what they leave; every process runs them when it
starts. Those in ``after`` take away what no process of this version uses any more. A revision that is not known here
is a newer version's: if it added, nothing is wrong; if it took away, this version can no longer work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection, func, literal, select

from engine.errors import SchemaTooNew
from engine.store.database import faults_told_apart, open_database

#: Where the migrations are: a folder for each kind.
SCRIPTS: Final = Path(__file__).parent / "migrations"


class Kind(StrEnum):
    """When a migration may run: before a new version's first process starts, or after the old one's last has ended."""

    BEFORE = "before"
    AFTER = "after"


#: Where the database says how far each kind has come.
VERSION_TABLES: Final = {Kind.BEFORE: "alembic_version", Kind.AFTER: "alembic_version_after"}


class Standing(Struct, frozen=True):
    """How far a database has come with one kind of migration: revisions, oldest first.

    ``unknown`` are those of a newer version than this one.
    """

    done: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def migrate(url: str, scripts: Path = SCRIPTS) -> tuple[str, ...]:
    """Run in one transaction what this version needs to work; return the revisions applied, oldest first.

    These are all of ``before``; on a database without tables those of ``after`` as well, for no older version works
    there. Whoever calls at the same time waits for the first, then finds nothing to do. Raises ``StoreUnavailable``
    when the database cannot be reached, ``BadConfiguration`` for an unusable URL, ``SchemaTooNew`` when a newer
    version has taken away what this one needs.
    """
    with _alone(url) as connection:
        refuse_unknown(connection, scripts)
        is_new = not _heads(connection, Kind.BEFORE)
        applied = _advance(connection, Kind.BEFORE, scripts)
        if is_new:
            applied += _advance(connection, Kind.AFTER, scripts)
        return applied


def pending(url: str, kind: Kind = Kind.BEFORE, scripts: Path = SCRIPTS) -> tuple[str, ...]:
    """Return the revisions of a kind that the database still lacks, oldest first; empty when it is up to date.

    Raises what ``migrate`` raises.
    """
    with _connected(url) as connection:
        refuse_unknown(connection, scripts)
        return standing(connection, kind, scripts).missing


def take_away(url: str, scripts: Path = SCRIPTS) -> None:
    """Undo every migration: all tables go, with all that is in them."""
    with _alone(url) as connection:
        for kind in (Kind.AFTER, Kind.BEFORE):
            if _heads(connection, kind):
                command.downgrade(_config(connection, kind, scripts), "base")


def standing(connection: Connection, kind: Kind, scripts: Path = SCRIPTS) -> Standing:
    """Return how far the database has come with one kind of migration."""
    history = ScriptDirectory.from_config(_config(connection, kind, scripts))
    revisions = [script.revision for script in history.walk_revisions()][::-1]
    heads = _heads(connection, kind)
    unknown = tuple(head for head in heads if head not in revisions)
    if unknown:
        # Revisions of a kind stand in one row, so that a newer one implies all of ours.
        return Standing(tuple(revisions), (), unknown)
    done = {script.revision for head in heads for script in history.iterate_revisions(head, "base")}
    return Standing(
        tuple(revision for revision in revisions if revision in done),
        tuple(revision for revision in revisions if revision not in done),
        (),
    )


def refuse_unknown(connection: Connection, scripts: Path = SCRIPTS) -> None:
    """Raise ``SchemaTooNew`` when a newer version has taken away what this one may need."""
    unknown = standing(connection, Kind.AFTER, scripts).unknown
    if unknown:
        raise SchemaTooNew(
            f"The database's tables are those of a newer version of Baton: migration {', '.join(unknown)} of the kind "
            "'after' is not known here. Start the version that ran 'baton migrate --after', or restore a backup made "
            "before that."
        )


def _advance(connection: Connection, kind: Kind, scripts: Path) -> tuple[str, ...]:
    missing = standing(connection, kind, scripts).missing
    if missing:
        command.upgrade(_config(connection, kind, scripts), "head")
    return missing


@contextmanager
def _alone(url: str) -> Iterator[Connection]:
    """Open a transaction that is alone among those that change tables."""
    with _connected(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(literal("baton.migrate"), 0))))
        yield connection


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    database = open_database(url, pool_size=1)
    try:
        with faults_told_apart(database), database.begin() as connection:
            yield connection
    finally:
        database.dispose()


def _config(connection: Connection, kind: Kind, scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", _escaped(scripts))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", _escaped(scripts / kind))
    config.attributes.update(connection=connection, version_table=VERSION_TABLES[kind])
    return config


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")


def _heads(connection: Connection, kind: Kind) -> tuple[str, ...]:
    options = {"version_table": VERSION_TABLES[kind]}
    return MigrationContext.configure(connection, opts=options).get_current_heads()
