"""The stores that all pass one suite: in memory, SQLite in a file, Postgres, and MariaDB or MySQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.port import Store
from engine.testing.memory_store import MemoryStore

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


@pytest.fixture(params=["memory", *REAL])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store of each kind, its tables made."""
    if request.param == "memory":
        yield MemoryStore()
        return
    place = an_empty_database(request.param, request, tmp_path)
    migrate(place)
    opened = open_store(place)
    yield opened
    opened.close()
