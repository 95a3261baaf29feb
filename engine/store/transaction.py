"""A store on SQLAlchemy: opens transactions and hands out what can be done in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import sqlalchemy
from sqlalchemy import Connection, event

from engine.store.archives import StoredArchives
from engine.store.batch import Batch
from engine.store.database import faults_told_apart, open_database
from engine.store.definitions import Definitions
from engine.store.event_handlers import EventHandlers
from engine.store.executions import Executions
from engine.store.gathered import WholeLoops
from engine.store.hands import Hands
from engine.store.housekeeping import Housekeeping
from engine.store.mysql import MysqlBatch
from engine.store.notices import Notices
from engine.store.outside import Outside
from engine.store.pending import PendingTasks
from engine.store.port import Store
from engine.store.postgres import PostgresBatch, json_as_text
from engine.store.results import Results
from engine.store.schedules import Schedules
from engine.store.schema_defs import StoredSchemaDefs
from engine.store.searching_tasks import TaskSearches
from engine.store.slots import Slots
from engine.store.sqlite import SqliteBatch
from engine.store.survey import Survey
from engine.store.webhooks import StoredWebhooks
from engine.store.worker_notes import StoredWorkerNotes


class SqlTransaction(
    WholeLoops,
    Executions,
    StoredArchives,
    Definitions,
    StoredSchemaDefs,
    Slots,
    Housekeeping,
    Hands,
    EventHandlers,
    Results,
    Notices,
    PendingTasks,
    Schedules,
    StoredWebhooks,
    StoredWorkerNotes,
    Survey,
    TaskSearches,
):
    """Everything that can be read or written inside one transaction; each room of it is a class of its own."""

    def __init__(self, connection: Connection, batch: Batch, outside: Outside) -> None:
        self._connection = connection
        self._batch = batch
        self._outside = outside
        self.gone = []


_BATCHES: Final[Mapping[str, Callable[[], Batch]]] = {
    "postgresql": PostgresBatch,
    "mysql": MysqlBatch,
    "sqlite": SqliteBatch,
}


class SqlStore:
    """Keeps runs and definitions in a database that there is a ``Batch`` for; safe to use from many threads."""

    def __init__(self, database: sqlalchemy.Engine, outside: Outside | None = None) -> None:
        #: The pool of its connections.
        self.database = database
        self._outside = outside or Outside()
        self._batch: Batch = _BATCHES[database.dialect.name]()
        if database.dialect.name == "postgresql":
            event.listen(database, "connect", json_as_text)

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a transaction; commits when the block ends, rolls back when it raises.

        Raises ``StoreUnavailable`` when the database cannot be reached, drops the connection or has not got the
        tables yet, ``Unstorable`` when it cannot keep what it was given.
        """
        with faults_told_apart(self.database), self.database.begin() as connection:
            transaction = SqlTransaction(connection, self._batch, self._outside)
            yield transaction
        self._outside.forget(transaction.gone)

    def close(self) -> None:
        """Close every connection."""
        self.database.dispose()


def open_store(url: str, *, pool_size: int = 5, outside: Outside | None = None) -> Store:
    """Return the store at a URL (``postgresql://…``, ``mysql://…`` or ``sqlite:///…``); nothing is connected yet.

    ``pool_size`` bounds the transactions that can be open at a time; SQLite has one. ``outside`` says where large
    payloads are kept; by default they stay in their rows. Raises ``BadConfiguration`` for a URL that no store belongs
    to.
    """
    return SqlStore(open_database(url, pool_size), outside)
