"""Routes for payloads that are kept outside of runs: where one is, or may be sent to, and the payload itself.

Conductor's clients ask for a location, and read or write there (reference 4.13). The location is this server, whatever
the storage is: it needs no addresses that are signed, and clients need not reach the storage.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from engine.api.body import RawBody, answer, document, done
from engine.errors import BadMessage, NotFound
from engine.model.payload import Json
from engine.store.payload_storage import PayloadStorage
from engine.wire.fields import read_json

#: Where clients read and write, below the server's own address.
_PLACE = "/api/external"

#: What clients call the payloads of which only the place is sent, by where they send them in what field.
INPUT_PATH = "externalInputPayloadStoragePath"
OUTPUT_PATH = "externalOutputPayloadStoragePath"


def payload_routes(storage: PayloadStorage | None) -> APIRouter:
    """Return the routes; without a storage they answer 404 and say which setting names one."""
    router = APIRouter()

    @router.get("/api/workflow/externalstoragelocation")
    @router.get("/api/workflow/external-storage-location")
    @router.get("/api/tasks/externalstoragelocation")
    @router.get("/api/tasks/external-storage-location")
    def location(
        path: str = "",
        operation: str = "READ",
        payload_type: Annotated[str, Query(alias="payloadType")] = "",
    ) -> Response:
        """Say where a payload can be read, or one may be written; ``uri`` is relative to this server."""
        kept = _present(storage)
        match operation.upper():
            case "WRITE":
                place = kept.new_upload()
            case "READ":
                kept.get(path)
                place = path
            case _:
                raise BadMessage(f"'operation' must be READ or WRITE, not {operation[:50]!r}.")
        return answer({"uri": f"{_PLACE}/{place}", "path": place})

    @router.get(_PLACE + "/{path:path}")
    def read(path: str) -> Response:
        """Read a payload that is kept outside of its row."""
        return Response(_present(storage).get(path), media_type="application/json")

    @router.put(_PLACE + "/{path:path}")
    def write(path: str, body: RawBody) -> Response:
        """Write a payload to a place that was given out for it."""
        kept = _present(storage)
        if not isinstance(document(body), dict):
            raise BadMessage("A payload must be a JSON object.")
        kept.receive(path, body)
        return done()

    return router


def with_payload(wanted: Json, place_field: str, field: str, storage: PayloadStorage | None) -> Json:
    """Return a client's document with the payload in it of which only the place was sent."""
    if not isinstance(wanted, dict) or not wanted.get(place_field):
        return wanted
    path = str(wanted[place_field])
    try:
        content = read_json(_present(storage).get(path), f"the payload at {path[:200]}")
    except NotFound as error:
        raise BadMessage(f"{place_field}: {error}") from None
    rest = {name: value for name, value in wanted.items() if name != place_field}
    return {**rest, field: content}


def _present(storage: PayloadStorage | None) -> PayloadStorage:
    if storage is None:
        raise NotFound("Payloads are kept in the database here: no storage is named by BATON_PAYLOAD_STORAGE_URL.")
    return storage
