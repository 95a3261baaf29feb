"""Routes that clients of Conductor call before anything else: for a token, and for what a page may show."""

from __future__ import annotations

import json
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import RawBody, answer

#: What clients that were given keys send back with each call; nobody reads it.
_TOKEN: Final = "baton-has-no-log-in"  # noqa: S105

#: The feature flags of Conductor's newer UI: what Baton has behind it. What is not named is off.
_FLAGS: Final = {
    "SCHEDULER": True,
    "CREATOR_ENABLE_CREATOR": True,
    "CREATOR_ENABLE_REAFLOW_DIAGRAM": True,
    "ENABLE_DARK_MODE_TOGGLE": True,
    "TASK_VISIBILITY": "READ",
}
_FLAGS_SCRIPT: Final = f"window.conductor = {json.dumps(_FLAGS, indent=2)};\n"


def client_routes() -> APIRouter:
    """Return the routes; like Conductor OSS, Baton has no log-in of its own, so any keys get a token."""
    router = APIRouter(tags=["client"])

    @router.post("/api/token")
    def token(body: RawBody) -> Response:
        """Give a token for any keys: clients that have some ask for one before their first call."""
        return answer({"token": _TOKEN})

    @router.get("/api/token/userInfo")
    def user() -> Response:
        """Say who is logged in: nobody."""
        return answer({"id": "anonymous", "name": "anonymous", "roles": [], "groups": []})

    @router.get("/context.js")
    def flags() -> Response:
        """Give the feature flags of Conductor's pages, as the script that they load."""
        return Response(_FLAGS_SCRIPT, media_type="text/javascript")

    return router
