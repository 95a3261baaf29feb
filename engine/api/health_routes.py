"""Routes that say whether the server can work, and which version it is (reference 5.8)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

import engine
from engine.api.body import answer
from engine.api.requester import Requester
from engine.errors import StoreUnavailable
from engine.model.payload import Json
from engine.store.port import Store


def health_routes(
    store: Store, requester: Requester, *, reading: Store | None = None, embedded: bool = False
) -> APIRouter:
    """Return the routes; ``embedded`` says that everything else runs in this process too.

    A replica for ``reading`` is told of and does not count: without it searches fail, and all else goes on.
    """
    router = APIRouter()

    @router.get("/health")
    @router.get("/api/health")
    def health() -> Response:
        """Say whether database and broker can be reached: 200 when both can, else 503 with the reasons."""
        results = health_results(store, requester)
        healthy = all(result["healthy"] for result in results)
        if reading is not None:
            results.append(_database(reading, "read database"))
        body = {"healthResults": results, "suppressedHealthResults": [], "healthy": healthy, "embedded": embedded}
        return answer(body, 200 if healthy else 503)

    @router.get("/api/version")
    def version() -> Response:
        """Say which version this is."""
        return PlainTextResponse(engine.__version__)

    return router


def health_results(store: Store, requester: Requester) -> list[dict[str, Json]]:
    """Return whether database and broker can be reached, each with ``healthy`` and, where it is not, the reason."""
    return [_database(store), _result("broker", requester.lost)]


def _database(store: Store, name: str = "database") -> dict[str, Json]:
    try:
        with store.transaction() as tx:
            tx.next_ring()
    except StoreUnavailable as error:
        return _result(name, error)
    return _result(name, None)


def _result(name: str, error: Exception | None) -> dict[str, Json]:
    return {"name": name, "healthy": error is None, **({} if error is None else {"reason": str(error)})}
