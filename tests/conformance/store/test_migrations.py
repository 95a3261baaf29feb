"""Migrations lead from nothing to the declared tables, and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from engine.store.database import open_database
from engine.store.migrate import migrate, pending
from engine.store.schema import metadata


def tables(url: str) -> set[str]:
    database = open_database(url, 1)
    try:
        return set(inspect(database).get_table_names())
    finally:
        database.dispose()


def test_migrated_tables_are_the_declared_ones(url: str) -> None:
    migrate(url)
    database = open_database(url, 1)
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    database.dispose()


def test_an_empty_database_lacks_every_revision_and_a_migrated_one_none(url: str) -> None:
    missing = pending(url)
    assert missing[0] == "0001"
    assert migrate(url) == missing
    assert pending(url) == ()
    assert migrate(url) == ()


def test_the_way_back_leaves_nothing_and_can_be_gone_again(url: str) -> None:
    migrate(url)
    migrate(url, "base")
    assert tables(url) <= {"alembic_version"}
    assert migrate(url)
    assert tables(url) >= set(metadata.tables)


def test_several_that_migrate_at_the_same_time_wait_for_the_first(url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        applied = list(pool.map(migrate, [url] * 3))
    assert sorted(map(bool, applied)) == [False, False, True]
    assert pending(url) == ()
