"""The doctor's question which queues are served by workers that poll: no Celery worker need serve those."""

from __future__ import annotations

from collections.abc import Mapping

from engine.clock import SystemClock
from engine.config import Settings
from engine.outlook import is_polled
from engine.store import open_store


def unpolled(settings: Settings, waiting: Mapping[str, int]) -> dict[str, int]:
    """Return what waits in queues that nobody has polled lately."""
    store = open_store(settings.database_url, pool_size=1)
    try:
        with store.transaction() as transaction:
            now = SystemClock().now()
            return {queue: count for queue, count in waiting.items() if not is_polled(transaction, queue, now)}
    finally:
        store.close()
