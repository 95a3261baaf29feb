"""Migrations lead from nothing to the declared tables, and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Index, MetaData, inspect

from engine.store.database import open_database
from engine.store.migrate import migrate, pending, take_away
from engine.store.revisions import VERSION_TABLES
from engine.store.schema import ON_MYSQL, metadata


def tables(url: str) -> set[str]:
    database = open_database(url, 1)
    try:
        return set(inspect(database).get_table_names())
    finally:
        database.dispose()


def declared(dialect: str) -> MetaData:
    """Return the tables as a database of this kind has them."""
    copy = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(copy)
    if dialect == "mysql":
        for index in list(copy.tables["workflow"].indexes):
            if index.name in ON_MYSQL:
                copy.tables["workflow"].indexes.remove(index)
                Index(index.name, *(copy.tables["workflow"].c[name] for name in ON_MYSQL[index.name]))
    return copy


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name not in VERSION_TABLES.values()


def test_migrated_tables_are_the_declared_ones(url: str) -> None:
    migrate(url)
    database = open_database(url, 1)
    with database.connect() as connection:
        options = {"compare_server_default": True, "include_name": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, declared(connection.dialect.name)) == []
    database.dispose()


def test_an_empty_database_lacks_every_revision_and_a_migrated_one_none(url: str) -> None:
    missing = pending(url)
    assert missing[0] == "0001"
    assert migrate(url) == missing
    assert pending(url) == ()
    assert migrate(url) == ()


def test_the_way_back_leaves_nothing_and_can_be_gone_again(url: str) -> None:
    migrate(url)
    take_away(url)
    assert tables(url) <= set(VERSION_TABLES.values())
    assert migrate(url)
    assert tables(url) >= set(metadata.tables)


def test_several_that_migrate_at_the_same_time_wait_for_the_first(url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        applied = list(pool.map(migrate, [url] * 3))
    assert sorted(map(bool, applied)) == [False, False, True]
    assert pending(url) == ()
