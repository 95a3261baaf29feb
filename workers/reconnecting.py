"""Brings a worker back soon after its broker was away, however long that took."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from kombu.connection import Connection

#: Seconds before the first new attempt, by how much longer each further pause is, and the longest. Celery's own pauses
#: grow to half a minute: after an outage of a minute its workers come back up to a quarter of a minute late.
_PAUSES: Final = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 3.0}


class SoonReconnected(Connection):
    """A connection that is tried again after short pauses."""

    def ensure_connection(self, *given: Any, **options: Any) -> Connection:
        """Connect, trying again as often as the caller wants."""
        super().ensure_connection(*given, **{**_PAUSES, **options})  # type: ignore[no-untyped-call]
        return self


def reconnect_soon(app: Celery) -> None:
    """Let the workers of ``app`` try again after three seconds at most, and without end.

    Celery gives up after a hundred attempts, with which a worker ends.
    """
    app.amqp.Connection = SoonReconnected
    app.conf.broker_connection_max_retries = None
