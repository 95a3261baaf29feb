"""Brings a worker back soon after its broker was away, however long that took."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.utils.objects import cached_property

#: Seconds before the first new attempt, by how much longer each further pause is, and the longest. Celery's own pauses
#: grow to half a minute: after an outage of a minute its workers come back up to a quarter of a minute late.
_PAUSES: Final = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 3.0}


class SoonReconnected(Connection):
    """A connection that is tried again after short pauses."""

    def ensure_connection(self, *given: Any, **options: Any) -> Connection:
        """Connect, trying again as often as the caller wants."""
        super().ensure_connection(*given, **{**_PAUSES, **options})  # type: ignore[no-untyped-call]
        return self

    @cached_property
    def connection_errors(self) -> tuple[type[Exception], ...]:
        """What a worker takes for a lost line, after which it connects anew: also what Kombu itself makes of one.

        Celery does not know that one, so a line lost while a new one asks its neighbours (mingle) ended the worker.
        """
        return (*super().connection_errors, OperationalError)


def reconnect_soon(app: Celery) -> None:
    """Let the workers of ``app`` try again after three seconds at most, and without end.

    Celery gives up after a hundred attempts, with which a worker ends.
    """
    app.amqp.Connection = SoonReconnected
    app.conf.broker_connection_max_retries = None
