"""The store as services open it: waited for, and with its tables brought up to date first."""

from __future__ import annotations

from engine.errors import Transient
from engine.log import get_logger
from engine.services.stopping import Patience, Stop
from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.port import Store

log = get_logger(__name__)


def ready_store(url: str, stop: Stop) -> Store | None:
    """Return the store with its schema up to date, or None when stopping is wanted before it can be reached.

    Every service does this at its start; whoever comes second waits for the first and finds nothing to do.
    """
    patience = Patience(stop)
    while not stop.wanted():
        try:
            applied = migrate(url)
        except Transient as error:
            patience.lost(error)
            continue
        if applied:
            log.info("store.migrated", revisions=list(applied))
        return open_store(url)
    return None
