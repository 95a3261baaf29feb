"""Store and broker as services open them: waited for, with the tables brought up to date first."""

from __future__ import annotations

from engine.broker.opening import open_broker
from engine.broker.port import Broker
from engine.broker.topology import TaskQueueType
from engine.clock import SystemClock
from engine.config import Settings
from engine.errors import StoreUnavailable, Transient
from engine.log import get_logger
from engine.services.stopping import Patience, Stop
from engine.store import open_store
from engine.store.archive_storage import ArchiveStorage
from engine.store.migrate import finish, migrate, pending
from engine.store.outside import Outside
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store

log = get_logger(__name__)

#: The name under which the number of partitions is kept in the database.
_PARTITIONS = "partitions"


def ready_store(settings: Settings, stop: Stop, *, pool_size: int = 5, alone: bool = False) -> Store | None:
    """Return the store with its schema up to date, or None when stopping is wanted before it can be reached.

    Every service does this at its start; whoever comes second waits for the first and finds nothing to do. A process
    that works on the database ``alone`` also takes away what its version uses no more. Raises ``SchemaTooNew`` when a
    newer version has taken away what this one needs.
    """
    outside = payloads_outside(settings)
    patience = Patience(stop)
    while not stop.wanted():
        try:
            url = settings.database_url
            applied = (
                finish(url, SystemClock().now()) if alone else migrate(url, table_partitions=settings.table_partitions)
            )
        except Transient as error:
            patience.lost(error)
            continue
        if applied:
            log.info("store.migrated", revisions=list(applied))
        return open_store(settings.database_url, pool_size=pool_size, outside=outside)
    return None


def payload_storage(settings: Settings) -> PayloadStorage | None:
    """Return where large payloads are kept, None where they stay in their rows; raises ``BadConfiguration``."""
    return None if settings.payload_storage_url is None else PayloadStorage(settings.payload_storage_url)


def reading_store(settings: Settings, store: Store, *, pool_size: int = 5) -> Store:
    """Return where to look for what is asked of many runs: a replica where one is set, else the store itself."""
    if settings.read_database_url is None:
        return store
    return open_store(settings.read_database_url, pool_size=pool_size, outside=payloads_outside(settings))


def unwritten_store(settings: Settings, stop: Stop, *, pool_size: int = 5) -> Store | None:
    """Return the store of a database that may not be written to, or None when stopping is wanted before it is there.

    Its tables are brought up to date elsewhere, which is waited for.
    """
    outside = payloads_outside(settings)
    patience = Patience(stop)
    while not stop.wanted():
        try:
            missing = pending(settings.database_url)
            if not missing:
                return open_store(settings.database_url, pool_size=pool_size, outside=outside)
            raise StoreUnavailable(f"The tables lack the migrations {', '.join(missing)}: others have to run them")
        except Transient as error:
            patience.lost(error)
    return None


def archive_storage(settings: Settings) -> ArchiveStorage | None:
    """Return where archives are kept, None where they stay in their rows; raises ``BadConfiguration``."""
    return None if settings.archive_url is None else ArchiveStorage(settings.archive_url)


def payloads_outside(settings: Settings) -> Outside:
    """Return which payloads and archives are kept outside of their rows, and where."""
    return Outside(payload_storage(settings), settings.payload_storage_threshold_bytes, archive_storage(settings))


def new_broker(settings: Settings) -> Broker:
    """Return a broker connection as the settings describe it; it connects when it is first used."""
    return open_broker(
        settings.broker_url,
        task_queues=TaskQueueType(settings.task_queue_type),
        most_bytes=settings.prefetch_bytes,
    )


def partitions_of(store: Store, settings: Settings) -> int:
    """Return the number of partitions: the database's, which the first process to ask takes from its settings."""
    with store.transaction() as transaction:
        if settings.read_only:
            return int(transaction.setting(_PARTITIONS) or settings.partitions)
        return int(transaction.put_setting(_PARTITIONS, str(settings.partitions)))
