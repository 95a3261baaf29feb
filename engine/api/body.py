"""Request bodies as JSON, refused early when they are too large or something else."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from engine.model.payload import Json, JsonObject
from engine.wire.fields import MESSAGE_LIMIT, Fields, read_json, write_json


async def _of_any_kind(request: Request) -> bytes:
    """Read the body; stop as soon as it is too large, or the memory would be the sender's to spend."""
    chunks: list[bytes] = []
    size = 0
    declared = request.headers.get("content-length", "")
    # So many digits are too many whatever they are.
    if declared.isdecimal() and int(declared[:20]) > MESSAGE_LIMIT:
        raise _too_large()
    async for chunk in request.stream():
        size += len(chunk)
        if size > MESSAGE_LIMIT:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


async def json_body(request: Request) -> bytes:
    """Read a body that says it is JSON; empty when there is none. Raises ``HTTPException`` for any other."""
    body = await _of_any_kind(request)
    # A page in a browser may post texts and forms anywhere, but not JSON: demanding it keeps strangers' pages out.
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if body and kind != "application/json" and not kind.endswith("+json"):
        raise HTTPException(415, "The body must be JSON: send it with the header 'Content-Type: application/json'.")
    return body


def _too_large() -> HTTPException:
    return HTTPException(413, f"The body is larger than {MESSAGE_LIMIT:,} bytes: send less, or an address.")


async def storable_address(request: Request) -> None:
    """Refuse NUL in paths and queries: databases cannot keep it in texts, so it names nothing."""
    if "\0" in request.scope["path"] or any("\0" in value for value in request.query_params.values()):
        raise HTTPException(400, "The address contains the character NUL, which no name or id has.")


#: A version as databases keep it.
Version = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]

#: The raw body of a request that claims to be JSON; empty when there is none.
RawBody = Annotated[bytes, Depends(json_body)]

#: The raw body of whatever kind.
AnyBody = Annotated[bytes, Depends(_of_any_kind)]


def document(body: bytes) -> Json:
    """Return the body as JSON; raise ``BadMessage`` when it is none."""
    return read_json(body, "the body")


def mapping(body: bytes) -> JsonObject:
    """Return the body as an object, empty when there is no body; raise ``BadMessage`` when it is something else."""
    if not body.strip():
        return {}
    value = document(body)
    Fields(value, "the body")
    return dict(value)


def answer(value: Json, status: int = 200) -> Response:
    """Return ``value`` as a JSON response."""
    return Response(write_json(value), status_code=status, media_type="application/json")


def done(status: int = 200) -> Response:
    """Return an empty response, Conductor's answer to what has nothing to say."""
    return Response(status_code=status)
