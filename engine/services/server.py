"""The server: the HTTP door as a process of its own."""

from __future__ import annotations

import socket

import uvicorn

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.broker.opening import open_broker
from engine.broker.port import Broker
from engine.broker.topology import TaskQueueType
from engine.config import Settings, variable_of
from engine.errors import BadConfiguration
from engine.log import get_logger
from engine.services.opening import partitions_of, ready_store, waited_for

log = get_logger(__name__)

#: Database connections; the requests beyond that wait for one.
_CONNECTIONS = 20


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, then finish the requests that have begun; return the exit code."""
    listener = listen(settings)
    store = ready_store(settings, pool_size=_CONNECTIONS)
    partitions = waited_for(lambda: partitions_of(store, settings))

    def connect() -> Broker:
        return open_broker(settings.broker_url, task_queues=TaskQueueType(settings.task_queue_type))

    app = create_app(store, Requester(connect, partitions))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=round(settings.drain_seconds),
    )
    log.info("server.listening", url=f"http://{settings.http_host}:{settings.http_port}")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        store.close()
        log.info("server.stopped")
    return 0


def listen(settings: Settings) -> socket.socket:
    """Return a socket bound to the configured address; raise ``BadConfiguration`` when that cannot be had."""
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.http_host, settings.http_port))
    except OSError as error:
        listener.close()
        raise BadConfiguration(
            [
                f"{settings.http_host}:{settings.http_port} cannot be listened on ({error.strerror}): stop what uses "
                f"it, or set another {variable_of('http_port')}."
            ]
        ) from None
    return listener
