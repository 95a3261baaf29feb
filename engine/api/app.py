"""The web application: every route, with the store and the requester they share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import PlainTextResponse, Response

import engine
from engine.api import problem
from engine.api.admin_routes import admin_routes
from engine.api.asker import note_asker
from engine.api.body import answer, storable_address
from engine.api.bulk_routes import bulk_routes
from engine.api.client_routes import client_routes
from engine.api.dead_routes import dead_routes
from engine.api.definition_routes import definition_routes
from engine.api.event_routes import event_routes
from engine.api.execute_routes import execute_routes
from engine.api.gate import Gate
from engine.api.lifecycle_routes import lifecycle_routes
from engine.api.listing_routes import listing_routes
from engine.api.metrics_routes import metrics_routes
from engine.api.news import News
from engine.api.notice_routes import notice_routes
from engine.api.openapi.document import describe
from engine.api.outside_routes import outside_routes
from engine.api.payload_routes import payload_routes
from engine.api.poll_routes import poll_routes, update_routes
from engine.api.queue_routes import queue_routes
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
from engine.api.workflow_routes import workflow_routes
from engine.clock import Clock, SystemClock
from engine.config import Settings
from engine.errors import StoreUnavailable
from engine.model.payload import Json
from engine.named_values import environment_values, secret_names, secret_values
from engine.polling.distributor import Distributor
from engine.polling.poll_book import PollBook
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store


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
    embedded: bool = False,
) -> FastAPI:
    """Return the application; it starts requester and news with itself and closes them at the end, but not the store.

    ``news`` is what requests that wait hear by, else another connection to the requester's broker. ``payloads`` is
    where large payloads are kept, if they are; ``secrets`` finds what webhooks name, and ``settings`` say what else
    there is outside; without them there is nothing. ``distributor`` hands tasks to workers that poll; without one
    nobody can. It is started and closed likewise.
    ``embedded`` says that everything else runs in this process too, which ``/health`` tells those who ask.
    """
    heard = news or News(requester.open_broker)
    book = PollBook(store, clock=clock)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        requester.start()
        heard.start()
        if distributor is not None:
            distributor.start()
            book.start()
        yield
        if distributor is not None:
            distributor.close()
            book.close()
        heard.close()
        requester.close()

    app = FastAPI(
        title="Baton",
        version=engine.__version__,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(storable_address), Depends(note_asker)],
    )
    problem.install(app)
    app.add_middleware(Gate, most=(settings or Settings()).http_most_requests)
    app.include_router(bulk_routes(store, requester))
    # Before the runs and tasks, whose ids its words could be taken for.
    app.include_router(payload_routes(payloads))
    app.include_router(search_routes(store))
    app.include_router(rehearsal_routes(store, clock or SystemClock()))
    app.include_router(listing_routes(store))
    app.include_router(execute_routes(store, requester, heard, payloads))
    app.include_router(stream_routes(store, heard))
    app.include_router(workflow_routes(store, requester, payloads))
    app.include_router(lifecycle_routes(store, requester))
    if distributor is not None:
        app.include_router(poll_routes(distributor, book))
        app.include_router(update_routes(distributor, requester, store, clock or SystemClock(), payloads))
    app.include_router(task_queue_routes(store, requester, clock or SystemClock()))
    app.include_router(task_log_routes(store, clock or SystemClock()))
    app.include_router(task_routes(store, requester, clock or SystemClock(), payloads))
    app.include_router(definition_routes(store, clock or SystemClock()))
    app.include_router(schema_routes(store, clock or SystemClock()))
    app.include_router(task_definition_routes(store, clock or SystemClock()))
    app.include_router(schedule_routes(store, clock or SystemClock()))
    app.include_router(dead_routes(requester))
    app.include_router(notice_routes(store, clock or SystemClock()))
    app.include_router(queue_routes(requester))
    app.include_router(client_routes())
    app.include_router(admin_routes(store, requester, {} if settings is None else settings.shown()))
    app.include_router(_outside(settings))
    app.include_router(event_routes(store))
    app.include_router(webhook_routes(store, requester, clock or SystemClock(), secrets or secret_values(None)))
    app.include_router(metrics_routes(store, requester, clock or SystemClock()))
    _health(app, store, requester, embedded=embedded)
    describe(app)
    return app


def _outside(settings: Settings | None) -> APIRouter:
    if settings is None:
        return outside_routes({}, list)
    return outside_routes(environment_values(), secret_names(settings.secrets_directory))


def _health(app: FastAPI, store: Store, requester: Requester, *, embedded: bool) -> None:
    @app.get("/health")
    @app.get("/api/health")
    def health() -> Response:
        """Say whether database and broker can be reached: 200 when both can, else 503 with the reasons."""
        results = [_database(store), _result("broker", requester.lost)]
        healthy = all(result["healthy"] for result in results)
        body = {"healthResults": results, "suppressedHealthResults": [], "healthy": healthy, "embedded": embedded}
        return answer(body, 200 if healthy else 503)

    @app.get("/api/version")
    def version() -> Response:
        """Say which version this is."""
        return PlainTextResponse(engine.__version__)


def _database(store: Store) -> dict[str, Json]:
    try:
        with store.transaction() as tx:
            tx.next_ring()
    except StoreUnavailable as error:
        return _result("database", error)
    return _result("database", None)


def _result(name: str, error: Exception | None) -> dict[str, Json]:
    return {"name": name, "healthy": error is None, **({} if error is None else {"reason": str(error)})}
