"""Signs of life: which processes work on this database, and what they know of its tables."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, Engine, QueuePool, delete, insert, inspect, select

from engine import __version__
from engine.clock import Instant, after
from engine.store.port import Store
from engine.store.revisions import Kind, connected, refuse_unknown, revisions
from engine.store.schema import process
from engine.store.transaction import SqlStore

#: Stands for a process that knows no migration that takes away.
_NONE = ""


class Process(Struct, frozen=True, kw_only=True):
    """A process that works on the database: a decider, starter, timekeeper or server.

    ``knows`` is the newest migration of the kind ``after`` that its version can live with, empty when there is none.
    """

    id: str
    kind: str
    version: str
    knows: str


def this_process(identity: str, kind: str) -> Process:
    """Return the process that runs this code."""
    return Process(id=identity, kind=kind, version=__version__, knows=(revisions(Kind.AFTER) or (_NONE,))[-1])


def way_in(store: Store, url: str) -> str | Engine:
    """Return the store's connections while one of them is idle, else the URL, for a connection of its own.

    A new one costs more than the sign itself. But no process is to hold more of them than it works with, nor to count
    as dead because it is busy with all that it may have.
    """
    if isinstance(store, SqlStore) and isinstance(store.database.pool, QueuePool) and store.database.pool.checkedin():
        return store.database
    return url


def sign_of_life(at: str | Engine, who: Process, now: Instant, seconds: float, *, first: bool = False) -> None:
    """Say that a process is alive, and for how long to believe it; forget those that have not said so for long.

    The first sign waits for whoever changes tables just now. Raises ``SchemaTooNew`` when the process must not work
    on these tables any more, ``StoreUnavailable`` when the database cannot be reached.
    """
    with connected(at, alone=first) as connection:
        refuse_unknown(connection)
        gone = (process.c.id == who.id) | (process.c.alive_until <= now)
        connection.execute(delete(process).where(gone))
        row = {"id": who.id, "kind": who.kind, "version": who.version, "knows": who.knows}
        connection.execute(insert(process).values(**row, alive_until=after(now, seconds)))


def farewell(at: str | Engine, who: Process) -> None:
    """Say that a process ends."""
    with connected(at) as connection:
        connection.execute(delete(process).where(process.c.id == who.id))


def processes(url: str, now: Instant) -> tuple[Process, ...]:
    """Return the processes that are alive, by kind."""
    with connected(url) as connection:
        return living(connection, now)


def living(connection: Connection, now: Instant) -> tuple[Process, ...]:
    """Return the processes that are alive, by kind; none where the table is missing."""
    if not inspect(connection).has_table(process.name):
        return ()
    columns = process.c
    query = select(columns.id, columns.kind, columns.version, columns.knows).where(columns.alive_until > now)
    found = connection.execute(query.order_by(columns.kind, columns.id))
    return tuple(Process(id=row.id, kind=row.kind, version=row.version, knows=row.knows) for row in found)
