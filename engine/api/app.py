"""The web application: every route, with the store and the requester they share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter, Depends, FastAPI

import engine
from engine.api import problem
from engine.api.admin_routes import admin_routes
from engine.api.asker import note_asker
from engine.api.body import storable_address
from engine.api.bulk_routes import bulk_routes
from engine.api.client_routes import client_routes
from engine.api.dead_routes import dead_routes
from engine.api.definition_routes import definition_routes
from engine.api.event_routes import event_routes
from engine.api.execute_routes import execute_routes
from engine.api.gate import Gate
from engine.api.health_routes import health_routes
from engine.api.lifecycle_routes import lifecycle_routes
from engine.api.listing_routes import listing_routes
from engine.api.metrics_routes import metrics_routes
from engine.api.news import News
from engine.api.notice_routes import notice_routes
from engine.api.openapi.document import describe
from engine.api.outside_routes import outside_routes
from engine.api.pages import add_pages
from engine.api.payload_routes import payload_routes
from engine.api.poll_routes import poll_routes
from engine.api.queue_routes import queue_routes
from engine.api.read_only import ReadOnly
from engine.api.rehearsal_routes import rehearsal_routes
from engine.api.requester import Requester
from engine.api.schedule_routes import schedule_routes
from engine.api.schema_routes import schema_routes
from engine.api.search_routes import search_routes
from engine.api.stream_routes import stream_routes
from engine.api.task_definition_routes import task_definition_routes
from engine.api.task_log_routes import task_log_routes
from engine.api.task_queue_routes import task_queue_routes
from engine.api.task_routes import task_routes
from engine.api.verifiers import Secrets
from engine.api.webhook_routes import webhook_routes
from engine.api.worker_calls import WorkerCalls
from engine.api.worker_lane import WorkerLane
from engine.api.workflow_routes import workflow_routes
from engine.clock import Clock, SystemClock
from engine.config import Settings
from engine.named_values import environment_values, secret_names, secret_values
from engine.polling.distributor import Distributor
from engine.polling.poll_book import PollBook
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store


@dataclass(frozen=True)
class _Site:
    """What the routes work with; see ``create_app``."""

    store: Store
    reading: Store
    requester: Requester
    news: News
    clock: Clock
    payloads: PayloadStorage | None
    secrets: Secrets
    settings: Settings | None
    distributor: Distributor | None
    book: PollBook
    embedded: bool
    beside: Sequence[AbstractAsyncContextManager[object]]


def create_app(
    store: Store,
    requester: Requester,
    *,
    news: News | None = None,
    clock: Clock | None = None,
    payloads: PayloadStorage | None = None,
    secrets: Secrets | None = None,
    settings: Settings | None = None,
    distributor: Distributor | None = None,
    book: PollBook | None = None,
    reading: Store | None = None,
    embedded: bool = False,
    beside: Sequence[AbstractAsyncContextManager[object]] = (),
) -> FastAPI:
    """Return the application; it starts requester and news with itself and closes them at the end, but not the store.

    ``news`` is what requests that wait hear by, else another connection to the requester's broker. ``payloads`` is
    where large payloads are kept, if they are; ``secrets`` finds what webhooks name, and ``settings`` say what else
    there is outside; without them there is nothing. ``distributor`` hands tasks to workers that poll; without one
    nobody can. It is started and closed likewise, and so is ``book``, which remembers who polled.
    What is asked of many runs is looked for in ``reading``, a replica perhaps; by default in the store.
    What stands ``beside`` the routes is entered when all of that has been started, and left before it is closed.
    ``embedded`` says that everything else runs in this process too, which ``/health`` tells those who ask.
    """
    site = _Site(
        store,
        reading or store,
        requester,
        news or News(requester.open_broker),
        clock or SystemClock(),
        payloads,
        secrets or secret_values(None),
        settings,
        distributor,
        book or PollBook(store, clock=clock),
        embedded,
        beside,
    )
    calls = _worker_calls(site)
    app = FastAPI(
        title="Baton",
        version=engine.__version__,
        lifespan=_lifespan(site),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(storable_address), Depends(note_asker)],
    )
    problem.install(app)
    if calls is not None:
        app.add_middleware(WorkerLane, calls=calls)
    served = settings or Settings()
    if served.read_only:
        app.add_middleware(ReadOnly)
    # Added last, it stands before all others.
    app.add_middleware(Gate, most=served.http_most_requests)
    for router in (*_of_workers(calls), *_runs_and_tasks(site), *_everything_else(site)):
        app.include_router(router)
    describe(app)
    add_pages(app, settings)
    return app


def _lifespan(site: _Site) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return what starts and closes all that has a connection or a thread of its own."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        site.requester.start()
        site.news.start()
        if site.distributor is not None:
            site.distributor.start()
            site.book.start()
        async with AsyncExitStack() as entered:
            for each in site.beside:
                await entered.enter_async_context(each)
            yield
        if site.distributor is not None:
            site.distributor.close()
            site.book.close()
        site.news.close()
        site.requester.close()

    return lifespan


def _worker_calls(site: _Site) -> WorkerCalls | None:
    if site.distributor is None:
        return None
    return WorkerCalls(site.distributor, site.book, site.requester, site.store, site.clock, site.payloads)


def _of_workers(calls: WorkerCalls | None) -> Iterator[APIRouter]:
    """Yield the router that is asked first, for it is asked most."""
    if calls is not None:
        yield poll_routes(calls)


def _runs_and_tasks(site: _Site) -> Iterator[APIRouter]:
    """Yield the routers in the order in which they are asked: fixed words stand before ids that could be the same."""
    store, reading, requester, payloads = site.store, site.reading, site.requester, site.payloads
    yield bulk_routes(store, requester)
    yield payload_routes(payloads)
    yield search_routes(reading)
    yield rehearsal_routes(store, site.clock)
    yield listing_routes(store, reading)
    yield execute_routes(store, requester, site.news, payloads)
    yield stream_routes(store, reading, site.news)
    yield workflow_routes(store, requester, payloads)
    yield lifecycle_routes(store, requester)
    yield task_queue_routes(store, requester, site.clock)
    yield task_log_routes(store, site.clock)
    yield task_routes(store, requester, site.clock, payloads)


def _everything_else(site: _Site) -> Iterator[APIRouter]:
    store, requester, clock, settings = site.store, site.requester, site.clock, site.settings
    yield definition_routes(store, clock)
    yield schema_routes(store, clock)
    yield task_definition_routes(store, clock)
    yield schedule_routes(store, clock)
    yield dead_routes(requester)
    yield notice_routes(store, clock)
    yield queue_routes(requester)
    yield client_routes()
    yield admin_routes(store, requester, {} if settings is None else settings.shown())
    yield _outside(settings)
    yield event_routes(store, clock)
    yield webhook_routes(store, requester, clock, site.secrets)
    yield metrics_routes(site.reading, requester, clock)
    replica = None if site.reading is store else site.reading
    yield health_routes(store, requester, reading=replica, embedded=site.embedded)


def _outside(settings: Settings | None) -> APIRouter:
    if settings is None:
        return outside_routes({}, list)
    return outside_routes(environment_values(), secret_names(settings.secrets_directory))
