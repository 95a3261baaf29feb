"""The stores that all pass one suite: in memory, SQLite in a file, Postgres, and MariaDB or MySQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.endpoint import Servers
from engine.store import open_store
from engine.store.database import open_database
from engine.store.migrate import migrate
from engine.store.outside import Outside
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.store.schema import metadata
from engine.testing.memory_store import MemoryStore
from tests.conftest import own_mysql, own_postgres

REAL = [
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.servers),
    pytest.param("mysql", marks=pytest.mark.servers("mysql")),
]


def an_empty_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the URL of an empty database of one of the real kinds."""
    return f"sqlite:///{folder / 'baton.db'}" if kind == "sqlite" else str(request.getfixturevalue(f"{kind}_url"))


@pytest.fixture(params=REAL)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, on each of the real kinds."""
    return an_empty_database(request.param, request, tmp_path)


@pytest.fixture(scope="session")
def migrated_postgres(servers: Servers) -> Iterator[str]:
    """Return the URL of a database with tables: making them takes as long as many a test."""
    with own_postgres(servers.database_url) as url:
        migrate(url)
        yield url


@pytest.fixture(scope="session")
def migrated_partitioned(servers: Servers) -> Iterator[str]:
    """Return the URL of a database of Postgres whose tables of runs and tasks are in four parts."""
    with own_postgres(servers.database_url) as url:
        migrate(url, table_partitions=4)
        yield url


@pytest.fixture(scope="session")
def migrated_mysql(mysql_server: str) -> Iterator[str]:
    """Return the URL of a database with tables: making them takes as long as twenty tests."""
    with own_mysql(mysql_server) as url:
        migrate(url)
        yield url


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with tables, to be copied: making them takes as long as ten tests."""
    file = tmp_path_factory.mktemp("migrated") / "baton.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def migrated_sqlite(sqlite_file: Path, tmp_path: Path) -> str:
    """Return the URL of a file with tables."""
    return f"sqlite:///{shutil.copy(sqlite_file, tmp_path)}"


STORES = ["memory", *REAL, "sqlite and a folder"]

#: Tests of what the road and the timekeeper do with tables that are partitioned; the others are of other tables.
OF_PARTITIONED_TABLES = {"test_runs", "test_history", "test_ring", "test_searching", "test_partitions"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on every store, and those of such tables on a Postgres in which they are partitioned too."""
    if "store" not in metafunc.fixturenames or hasattr(metafunc.module, "store"):
        return
    partitioned = pytest.param("partitioned", marks=pytest.mark.servers)
    is_of_them = metafunc.module.__name__.rpartition(".")[2] in OF_PARTITIONED_TABLES
    metafunc.parametrize("store", [*STORES, partitioned] if is_of_them else STORES, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store of each kind, its tables made; one keeps every payload outside of its rows."""
    if request.param == "memory":
        yield MemoryStore()
        return
    kind, _, folder = request.param.partition(" and ")
    url = request.getfixturevalue(f"migrated_{kind}")
    opened = open_store(url, outside=Outside(PayloadStorage(f"file://{tmp_path / 'payloads'}")) if folder else None)
    yield opened
    opened.close()
    if kind != "sqlite":
        empty(url)


def empty(url: str) -> None:
    """Take every row out of every table."""
    database = open_database(url, 1)
    with database.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    database.dispose()
