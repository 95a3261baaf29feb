"""The stores that all pass one suite: in memory, SQLite in a file, and Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.port import Store
from engine.testing.memory_store import MemoryStore

REAL = ["sqlite", pytest.param("postgres", marks=pytest.mark.servers)]


@pytest.fixture(params=REAL)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, on each of the real kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'baton.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["memory", *REAL])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store of each kind, its tables made."""
    if request.param == "memory":
        yield MemoryStore()
        return
    place = f"sqlite:///{tmp_path / 'baton.db'}" if request.param == "sqlite" else "postgres_url"
    place = request.getfixturevalue(place) if place == "postgres_url" else place
    migrate(place)
    opened = open_store(place)
    yield opened
    opened.close()
