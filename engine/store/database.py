"""Opening a database by its URL, and telling its faults apart from ours."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Final

import sqlalchemy
from psycopg import RawCursor
from sqlalchemy import URL, Connection, QueuePool, event, exc, make_url

from engine.errors import BadConfiguration, StoreUnavailable, Unstorable

#: Seconds until an unreachable server, a free connection or another writer's lock is given up on.
WAIT_SECONDS: Final = 30

#: A server that vanishes without a word, as behind a firewall or by a power cut, is given up on by the system: after
#: so many milliseconds without an ack of what was sent, and while we wait for an answer, after three probes in vain.
#: By itself it would take a quarter of an hour, or hours.
_VANISHED: Final = {
    "tcp_user_timeout": WAIT_SECONDS * 1000,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}

#: The same, in the words of the socket that PyMySQL leaves to us.
_VANISHED_TCP: Final = {
    "TCP_USER_TIMEOUT": WAIT_SECONDS * 1000,
    "TCP_KEEPIDLE": 15,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
}

#: What a URL says of Postgres when a PgBouncer in transaction mode stands before it: ``?pgbouncer=true``.
_POOLED: Final = "pgbouncer"

#: Every statement of the store has an index made for it. Plans are made once and never again, and one made while a
#: table is still empty must be right for a full one: so the planner is not to guess from sizes.
_POSTGRES_SESSION: Final = (
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET jit = off",
)

#: ``synchronous = NORMAL`` keeps the file sound through a power cut, but may lose the last commits.
_SQLITE_SESSION: Final = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}",
)

#: What the drivers say of a database whose tables are missing or older than this code.
_OLD_SCHEMA: Final = (
    *("no such table", "no such column", "has no column"),
    *("UndefinedTable", "UndefinedColumn"),
    *("(1146, ", "(1054, "),
)


def read_url(url: str) -> URL:
    """Return the URL with the driver that Baton uses; raise ``BadConfiguration`` when it names no such database."""
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise BadConfiguration(["The database URL cannot be read; it looks like postgresql://user@host/name"]) from None
    kind = parsed.get_backend_name()
    if kind in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if kind == "sqlite":
        return parsed.set(drivername="sqlite+pysqlite")
    if kind in {"mysql", "mariadb"}:
        return parsed.set(drivername="mysql+pymysql")
    raise BadConfiguration(
        [f"The database URL begins with {kind}: Baton keeps its runs in postgresql, mysql, mariadb or sqlite"]
    )


def open_database(url: str, pool_size: int) -> sqlalchemy.Engine:
    """Return a pool of connections; none is opened yet. SQLite always has one: its transactions follow one another."""
    parsed = read_url(url)
    shared: dict[str, Any] = {
        "poolclass": QueuePool,
        "max_overflow": 0,
        "pool_timeout": WAIT_SECONDS,
        # What people store is not for the logs.
        "hide_parameters": True,
    }
    if parsed.get_backend_name() == "sqlite":
        database = sqlalchemy.create_engine(
            parsed, pool_size=1, connect_args={"check_same_thread": False, "timeout": WAIT_SECONDS}, **shared
        )
        event.listen(database, "connect", _greet_sqlite)
        event.listen(database, "begin", _begin_immediate)
        return database
    shared["pool_size"] = pool_size
    if parsed.get_backend_name() == "mysql":
        opened: sqlalchemy.Engine = _mysql().open_mysql(
            parsed, _VANISHED_TCP, {"connect_timeout": WAIT_SECONDS}, **shared
        )
        return opened
    return _open_postgres(parsed, shared)


def _open_postgres(url: URL, shared: dict[str, Any]) -> sqlalchemy.Engine:
    """Open a pool at Postgres, or at a PgBouncer before it.

    There, each transaction may get another of the server's sessions: nothing is prepared, because the next session
    would not know it, and the planner looks at every statement anew, so that it need not be told not to guess.

    Statements have the server's own placeholders: others psycopg would look for in every statement, again and again.
    """
    pooled = _pooled(url)
    options: dict[str, Any] = {"connect_timeout": WAIT_SECONDS, "application_name": "baton", **_VANISHED}
    connect_args: dict[str, Any] = {key: value for key, value in options.items() if key not in url.query}
    connect_args["cursor_factory"] = RawCursor
    if pooled:
        connect_args["prepare_threshold"] = None
    database = sqlalchemy.create_engine(
        url.difference_update_query([_POOLED]), connect_args=connect_args, paramstyle="numeric_dollar", **shared
    )
    if not pooled:
        event.listen(database, "connect", _greet_postgres)
    return database


def _pooled(url: URL) -> bool:
    said = url.query.get(_POOLED, "false")
    if said not in ("true", "false"):
        raise BadConfiguration([f"The database URL says {_POOLED}={said}: it is true or false."])
    return said == "true"


def _mysql() -> ModuleType:
    """Return the part that needs a driver of its own."""
    try:
        return importlib.import_module("engine.store.mysql_connection")
    except ModuleNotFoundError as error:
        if error.name != "pymysql":
            raise
        raise BadConfiguration(
            ["The database is MariaDB or MySQL, whose driver is not installed: pip install 'baton-engine[mysql]'"]
        ) from None


def _greet_sqlite(connection: Any, _: object) -> None:
    # The driver would otherwise begin transactions by itself, and only at the first write.
    connection.isolation_level = None
    for statement in _SQLITE_SESSION:
        connection.execute(statement)
    # By itself it knows the capitals of ASCII alone.
    connection.create_function("lower", 1, _lower, deterministic=True)
    # Refused at once while another process uses the file, which then has switched it: the mode stays with the file.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads first and writes later could find that somebody else has written meanwhile.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _greet_postgres(connection: Any, _: object) -> None:
    for statement in _POSTGRES_SESSION:
        connection.execute(statement)
    connection.commit()


@contextmanager
def faults_told_apart(database: sqlalchemy.Engine) -> Iterator[None]:
    """Turn what the database does to us into ``StoreUnavailable``, and what it cannot keep into ``Unstorable``.

    Mistakes of our own pass.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreUnavailable(f"No connection to {_name(database)} became free in {WAIT_SECONDS} s") from error
    except exc.DBAPIError as error:
        if any(sign in f"{type(error.orig).__name__}: {error.orig}" for sign in _OLD_SCHEMA):
            raise StoreUnavailable(
                f"The tables of {_name(database)} are missing or older than this version: run `baton migrate`"
            ) from error
        if _may_pass(error):
            raise StoreUnavailable(f"The database {_name(database)} did not answer: {error.orig}") from error
        if isinstance(error, exc.DataError) or _never_fits(error):
            raise Unstorable(f"The database cannot keep this: {_words(error)}") from error
        raise


def _may_pass(error: exc.DBAPIError) -> bool:
    """Tell whether the same may succeed later, on another connection or once the server is there again."""
    if error.connection_invalidated:
        return True
    return isinstance(error, exc.OperationalError | exc.InterfaceError) and not _never_fits(error)


def _never_fits(error: exc.DBAPIError) -> bool:
    return type(error.orig).__module__.startswith("pymysql") and _mysql().never_fits(error.orig)


def _words(error: exc.DBAPIError) -> str:
    """Return what the database said, without the statement and what was to be stored."""
    said = error.orig.args[-1] if error.orig is not None and error.orig.args else error.orig
    return str(said).strip().partition("\n")[0]


def _name(database: sqlalchemy.Engine) -> str:
    return database.url.render_as_string(hide_password=True)
