"""gRPC's standard health check: what /health says, in its words."""

from __future__ import annotations

from collections.abc import Mapping

from engine.api.grpc.call import Call, one
from engine.api.grpc.messages import services
from engine.api.health_routes import health_results
from engine.api.requester import Requester
from engine.errors import NotFound
from engine.model.payload import JsonObject
from engine.store.port import Store


def health_calls(store: Store, requester: Requester) -> Mapping[str, Call]:
    """Return the calls; every service is as healthy as the server is."""
    known = {"", *(service.full_name for service in services())}

    def check(asked: JsonObject) -> JsonObject:
        name = asked.get("service", "")
        if name not in known:
            raise NotFound(f"There is no service {name[:200]!r} here.")
        healthy = all(result["healthy"] for result in health_results(store, requester))
        return {"status": "SERVING" if healthy else "NOT_SERVING"}

    # A probe that is turned away would have a busy server killed.
    return {"Check": one(check, waits=True)}
