"""Errors as gRPC tells them: a status code, and the sentence that the REST API would answer with."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import grpc

from engine.api.problem import status_of, told
from engine.errors import BatonError

#: The code for each HTTP status; all others are the server's fault.
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}

#: Bytes of a sentence as it is sent, in a header: clients refuse all headers together above 8 KB.
_LONGEST: Final = 4_000

CRASHED: Final = "The server failed on this request; its log says why. Nothing is known to have changed."


def code_of(error: BatonError) -> grpc.StatusCode:
    """Return the status code of an error."""
    return _CODES.get(status_of(error), grpc.StatusCode.INTERNAL)


def details_of(error: BatonError) -> str:
    """Return what the caller is told, cut to what a header may carry."""
    text = told(error)
    while len(quote(text)) > _LONGEST:
        text = text[: len(text) * 3 // 4].rstrip() + " …"
    return text
