"""The server: the HTTP door as a process of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import nullcontext

import uvicorn
from fastapi import FastAPI

from engine.api.app import create_app
from engine.api.news import News
from engine.api.pages import check_pages
from engine.api.requester import Requester
from engine.broker.port import OpenBroker
from engine.config import Settings, variable_of
from engine.errors import BadConfiguration
from engine.log import get_logger
from engine.named_values import secret_values
from engine.polling.distributor import Distributor
from engine.polling.poll_book import PollBook
from engine.services.grpc_door import check_grpc, grpc_door
from engine.services.http_protocol import HttpProtocol
from engine.services.opening import (
    new_broker,
    partitions_of,
    payload_storage,
    reading_store,
    ready_store,
    unwritten_store,
)
from engine.services.presence import Presence
from engine.services.stopping import Stop
from engine.store.port import Store

log = get_logger(__name__)

#: Database connections; the requests beyond that wait for one.
_CONNECTIONS = 20

#: How long a connection is kept that nothing comes on: longer than clients keep theirs (httpx five seconds, proxies a
#: minute), since what a client sends at the moment at which the server hangs up is lost without an answer.
IDLE_SECONDS = 75


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, then finish the requests that have begun; return the exit code.

    The database's tables are brought up to date first: whoever starts a new version starts its server.
    """
    stop = Stop()
    stop.on_signals()
    check_served(settings)
    listener = listen(settings)
    opened = unwritten_store if settings.read_only else ready_store
    store = opened(settings, stop, pool_size=_CONNECTIONS)
    code = 0
    if store is not None:
        reading = reading_store(settings, store, pool_size=_CONNECTIONS)
        # A server that changes nothing gives no sign of life either: no change of the tables has to wait for it.
        with nullcontext() if settings.read_only else Presence(store, settings, "server", stop) as presence:
            app, end_waits = application(settings, store, lambda: new_broker(settings), stop, reading=reading)
            serve(app, listener, settings, stop, leaving=end_waits)
        for each in {store, reading}:
            each.close()
        code = 0 if presence is None else presence.exit_code
    listener.close()
    log.info("service.stopped")
    return code


def check_served(settings: Settings) -> None:
    """Raise ``BadConfiguration`` with everything that is to be served and cannot be."""
    faults: list[str] = []
    for check in (check_grpc, check_pages):
        try:
            check(settings)
        except BadConfiguration as error:
            faults += error.faults
    if faults:
        raise BadConfiguration(faults)


def application(
    settings: Settings,
    store: Store,
    connect: OpenBroker,
    stop: Stop,
    *,
    reading: Store | None = None,
    embedded: bool = False,
) -> tuple[FastAPI, Callable[[], None]]:
    """Return the application on a store and a broker, and what ends the requests that wait in it, for its event loop.

    What is asked of many runs is looked for in ``reading``, by default in the store. Polls that wait end when ``stop``
    is wanted. ``embedded`` says that everything else runs in this process too.
    """
    partitions = partitions_of(store, settings)
    news = News(connect, limit=settings.waiting_limit)
    requester, distributor, book = Requester(connect, partitions), Distributor(connect, partitions), PollBook(store)
    stop.also(distributor.rest)
    door = grpc_door(settings, store, reading or store, requester, distributor, book)
    app = create_app(
        store,
        requester,
        news=news,
        payloads=payload_storage(settings),
        secrets=secret_values(settings.secrets_directory),
        settings=settings,
        # Whoever polls takes a task, which changes it.
        distributor=None if settings.read_only else distributor,
        book=book,
        reading=reading,
        embedded=embedded,
        beside=() if door is None else (door,),
    )

    def end_waits() -> None:
        news.end()
        if door is not None:
            door.leave()

    return app, end_waits


class _Server(uvicorn.Server):
    """Says when it answers, and when it is about to take no more requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], leaving: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._leaving = leaving

    def end(self) -> None:
        """Take no more requests, finish those that have begun, and return from ``run``."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._leaving()
        await super().shutdown(sockets)


def serve(
    app: FastAPI,
    listener: socket.socket,
    settings: Settings,
    stop: Stop,
    ready: Callable[[], None] = lambda: None,
    *,
    leaving: Callable[[], None] = lambda: None,
) -> None:
    """Answer requests on a bound socket until a signal comes or ``stop`` is wanted; call it from the main thread.

    ``ready`` is called once, when the first request would be answered; never, if stopping is wanted already.
    ``leaving`` is called in the event loop when no more are taken: what waits for something else has to come to an end.
    """

    def listening() -> None:
        log.info("server.listening", url=url_of(settings))
        ready()

    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=round(settings.drain_seconds),
    )
    server = _Server(config, listening, leaving)
    stop.also(server.end)
    # A signal that came before is over.
    if not stop.wanted():
        server.run(sockets=[listener])


def url_of(settings: Settings) -> str:
    """Return the address at which the server is reached from this machine."""
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    return f"http://{host}:{settings.http_port}"


def listen(settings: Settings) -> socket.socket:
    """Return a socket bound to the configured address; raise ``BadConfiguration`` when that cannot be had."""
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    # Named, because asyncio sends small answers at once (TCP_NODELAY) only where the protocol of the socket says TCP:
    # an answer on a kept connection otherwise waits 40 ms for the client's delayed ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.http_host, settings.http_port))
    except OSError as error:
        listener.close()
        raise BadConfiguration(
            [
                f"{settings.http_host}:{settings.http_port} cannot be listened on ({error.strerror}): stop what uses "
                f"it, or choose another port with --port or {variable_of('http_port')}."
            ]
        ) from None
    return listener
