"""A store says what is wrong with its URL, its server and its tables."""

from __future__ import annotations

import pytest

from engine.errors import BadConfiguration, StoreUnavailable
from engine.store import open_store
from engine.store.database import open_database
from engine.store.migrate import migrate, pending
from tests.conformance.store.conftest import REAL
from tests.conformance.store.runs import a_run, create, load


@pytest.mark.parametrize("url", ["", "nonsense", "oracle://host/name", "postgresql://host:port/name"])
def test_a_url_of_no_known_database_is_a_fault_of_configuration(url: str) -> None:
    with pytest.raises(BadConfiguration):
        open_store(url)


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_server_that_is_not_there_is_unavailable_and_its_password_stays_secret(kind: str) -> None:
    url = f"{kind}://ann:secret@127.0.0.1:1/name"
    store = open_store(url)
    with pytest.raises(StoreUnavailable) as caught, store.transaction():
        pass
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreUnavailable):
        pending(url)


def test_a_directory_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable), open_store("sqlite:////nowhere/at/all.db").transaction():
        pass


def test_a_database_without_tables_says_which_command_makes_them(url: str) -> None:
    store = open_store(url)
    with pytest.raises(StoreUnavailable, match="baton migrate"), store.transaction() as transaction:
        transaction.load(["run"])
    store.close()


@pytest.mark.parametrize("url", [each for each in REAL if each != "sqlite"], indirect=True)
def test_a_connection_that_the_server_drops_is_replaced_by_the_next_transaction(url: str) -> None:
    # Given a store with two connections in its pool
    migrate(url)
    store = open_store(url)
    create(store, a_run())
    # When the server drops all of them in mid-transaction
    with pytest.raises(StoreUnavailable), store.transaction() as transaction:
        transaction.load(["run"])
        drop_connections(url)
        transaction.load(["run"])
    # Then the next transaction succeeds
    assert load(store).workflow == a_run()
    # And so does one after they were dropped while they were idle, once the loss was noticed
    drop_connections(url)
    with pytest.raises(StoreUnavailable):
        load(store)
    assert load(store).workflow == a_run()
    store.close()


def test_a_store_in_memory_serves_every_thread(tmp_path: object) -> None:
    store = open_store("sqlite://")
    with pytest.raises(StoreUnavailable, match="baton migrate"), store.transaction() as transaction:
        transaction.load(["run"])
    store.close()


def drop_connections(url: str) -> None:
    database = open_database(url, 1)
    with database.connect() as connection:
        if connection.dialect.name == "mysql":
            others = "id <> connection_id() AND db = database()"
            for (number,) in connection.exec_driver_sql(
                f"SELECT id FROM information_schema.processlist WHERE {others}"
            ):
                connection.exec_driver_sql(f"KILL {number}")
        else:
            others = "pid <> pg_backend_pid() AND datname = current_database()"
            connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    database.dispose()
