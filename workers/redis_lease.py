"""Keeps what a worker has taken from Redis its own while it lives, and gives it to others soon after it has died.

Redis knows nothing of who has taken a message. kombu notes when it was taken, and whoever looks gives it back after
the visibility timeout, an hour: a task of a killed worker waits for so long, and one that runs longer is run twice.
Here the note is renewed while the worker lives, so the timeout can be short. Workers with another timeout must not read
the same notes, so they are kept under names of their own.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final

import structlog
from celery import Celery
from celery.signals import worker_ready

from engine.broker.redis_envelope import LEASED

_log = structlog.get_logger(__name__)

#: Seconds after which the tasks of a worker that was not heard of are given to others. One that is frozen, or cut off
#: from Redis, for longer may see its tasks run twice.
LEASE_SECONDS = 15.0

#: Seconds between two renewals: several may fail.
RENEWAL_SECONDS = 3.0

#: Seconds between two looks for what nobody has renewed.
LOOK_SECONDS = 2

#: The setting by which an app says that it wants to keep to kombu's way.
_OWN: Final = "visibility_timeout"

_TRANSPORTS: Final = frozenset({"redis", "rediss", "sentinel"})


def lease_messages(app: Celery) -> None:
    """Have the workers of ``app`` lease what they take, where the broker is a Redis; call it before they connect.

    An app with a ``visibility_timeout`` in its ``broker_transport_options`` is left as it is.
    """
    given = dict(app.conf.broker_transport_options or {})
    if _OWN in given or app.connection_for_read().transport_cls not in _TRANSPORTS:
        return
    app.conf.broker_transport_options = {
        _OWN: LEASE_SECONDS,
        "unacked_restore_interval": LOOK_SECONDS,
        "unacked_restore_throttle": 1,
        "unacked_key": LEASED,
        "unacked_index_key": f"{LEASED}_when",
        "unacked_mutex_key": f"{LEASED}_look",
        # Seconds; kombu's five minutes would be the time for which a worker killed in its look stops all looks.
        "unacked_mutex_expire": int(LEASE_SECONDS),
        **given,
    }

    def ready(sender: Any, **_: object) -> None:
        # Celery says so again after every lost connection.
        if sender.app is app and getattr(sender, "baton_lease", None) is None:
            sender.baton_lease = threading.Thread(
                target=_renew_for_ever, args=[sender], name="redis-lease", daemon=True
            )
            sender.baton_lease.start()

    worker_ready.connect(ready, weak=False)


def _renew_for_ever(consumer: Any) -> None:
    while True:
        time.sleep(RENEWAL_SECONDS)
        try:
            renew(consumer.task_consumer.channel)
        except Exception as error:
            # The line is being closed or opened anew. Whatever it is, the next renewal must not fall out with it.
            _log.debug("lease.not_renewed", reason=str(error) or type(error).__name__)


def renew(channel: Any) -> None:
    """Note that what was delivered on a channel, and is not acked, is still held."""
    held = list(channel.qos._delivered)
    if held:
        now = time.time()
        with channel.conn_or_acquire() as redis:
            # What was acked, or given to others, meanwhile must not come to life again.
            redis.zadd(channel.unacked_index_key, dict.fromkeys(held, now), xx=True)
