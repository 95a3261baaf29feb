"""A store on SQLAlchemy: opens transactions and hands out what can be done in one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import sqlalchemy
from msgspec.structs import replace
from sqlalchemy import Connection, event

from engine.model.execution import Task
from engine.store.archives import StoredArchives
from engine.store.batch import Batch
from engine.store.database import faults_told_apart, open_database
from engine.store.definitions import Definitions
from engine.store.event_handlers import EventHandlers
from engine.store.executions import Executions
from engine.store.gathered import whole_runs, whole_tasks
from engine.store.hands import Hands
from engine.store.housekeeping import Housekeeping
from engine.store.mysql import MysqlBatch
from engine.store.notices import Notices
from engine.store.outside import Outside
from engine.store.pending import PendingTasks
from engine.store.port import Rows, Store
from engine.store.postgres import PostgresBatch, json_as_text
from engine.store.results import Results
from engine.store.schedules import Schedules
from engine.store.schema_defs import StoredSchemaDefs
from engine.store.search_port import FoundTasks, Query
from engine.store.searching_tasks import TaskSearches
from engine.store.slots import Slots
from engine.store.sqlite import SqliteBatch
from engine.store.survey import Survey
from engine.store.webhooks import StoredWebhooks
from engine.store.worker_notes import StoredWorkerNotes


class SqlTransaction(
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

    def load(self, workflow_ids: Collection[str], *, payloads: bool = True) -> dict[str, Rows]:
        """See ``Transaction.load``."""
        found = super().load(workflow_ids, payloads=payloads)
        return whole_runs(self, found) if payloads else found

    def search_tasks(self, query: Query) -> FoundTasks:
        """See ``Searching.search_tasks``."""
        found = super().search_tasks(query)
        return replace(found, tasks=tuple(whole_tasks(self, found.tasks)))

    def task_page(self, workflow_id: str, statuses: Collection[str], start: int, size: int) -> tuple[int, list[Task]]:
        """See ``Searching.task_page``."""
        total, page = super().task_page(workflow_id, statuses, start, size)
        return total, whole_tasks(self, page)

    def tasks_by_seq(self, workflow_id: str, seqs: Collection[int], *, whole: bool = True) -> list[Task]:
        """See ``Searching.tasks_by_seq``."""
        found = super().tasks_by_seq(workflow_id, seqs)
        return whole_tasks(self, found) if whole else found


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
