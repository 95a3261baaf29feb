"""Bringing a database's tables to what this version needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, literal, select

from engine.store.database import faults_told_apart, open_database

_SCRIPTS: Final = Path(__file__).parent / "migrations"


def migrate(url: str, revision: str = "head") -> tuple[str, ...]:
    """Bring the tables to ``revision`` in one transaction; return the revisions that were applied, oldest first.

    Whoever calls at the same time waits for the first, then finds nothing to do. ``base`` takes every table away.
    Raises ``StoreUnavailable`` when the database cannot be reached, ``BadConfiguration`` for an unusable URL.
    """
    with _connected(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(literal("baton.migrate"), 0))))
        todo = _missing(connection)
        config = _config()
        config.attributes["connection"] = connection
        if revision == "base":
            command.downgrade(config, revision)
            return ()
        command.upgrade(config, revision)
        left = _missing(connection)
        return tuple(each for each in todo if each not in left)


def pending(url: str) -> tuple[str, ...]:
    """Return the revisions that the database still lacks, oldest first; empty when it is up to date.

    Raises what ``migrate`` raises.
    """
    with _connected(url) as connection:
        return _missing(connection)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    database = open_database(url, pool_size=1)
    try:
        with faults_told_apart(database), database.begin() as connection:
            yield connection
    finally:
        database.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _missing(connection: Connection) -> tuple[str, ...]:
    scripts = ScriptDirectory.from_config(_config())
    current = MigrationContext.configure(connection).get_current_heads()
    revisions = [script.revision for script in scripts.walk_revisions()]
    done = {each.revision for head in current for each in scripts.iterate_revisions(head, "base")}
    return tuple(revision for revision in reversed(revisions) if revision not in done)
