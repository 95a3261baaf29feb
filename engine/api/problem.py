"""Errors as Conductor's clients expect them: a body of status, message, instance and retryable (reference 5.0)."""

from __future__ import annotations

import socket

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from engine.api.news import Full
from engine.api.requester import TooLarge, Unanswered
from engine.api.warned import described
from engine.errors import (
    BadDefinition,
    BadExpression,
    BadMessage,
    BatonError,
    BrokerUnavailable,
    NotFound,
    Refused,
    StoreUnavailable,
    Transient,
)
from engine.log import get_logger
from engine.model.payload import Json
from engine.model.request import Outcome

_log = get_logger(__name__)

#: Named in every error, so that one of many servers can be found in the logs.
_INSTANCE = socket.gethostname()

#: Seconds, as the header wants them.
_RETRY_AFTER_SECONDS = "1"


class Declined(BatonError):
    """A decider refused a request; carries its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.message)


def granted(outcome: Outcome) -> Outcome:
    """Return the outcome if the request was granted; raise ``Declined`` otherwise."""
    if not outcome.granted:
        raise Declined(outcome)
    return outcome


def problem(status: int, message: str, *, retryable: bool = False, **more: Json) -> JSONResponse:
    """Return Conductor's error body."""
    body = {"status": status, "message": message, "instance": _INSTANCE, "retryable": retryable, **more}
    # Whoever is told that trying again helps is told when.
    again = {"Retry-After": _RETRY_AFTER_SECONDS} if status in (429, 503) else None
    return JSONResponse(body, status_code=status, headers=again)


def install(app: FastAPI) -> None:
    """Answer every error of ours, of the framework and of nobody in Conductor's body."""
    app.add_exception_handler(BatonError, _known)
    app.add_exception_handler(RequestValidationError, _parameter)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unknown)


def answer_to(request: Request, error: BatonError | HTTPException) -> JSONResponse:
    """Return what a caller is answered whose call has come to an error of ours or of the framework."""
    return _known(request, error) if isinstance(error, BatonError) else _framework(request, error)


def status_of(error: BatonError) -> int:
    """Return the HTTP status of an error: 4xx where the client is mistaken, 503 where trying again may help."""
    match error:
        case Declined():
            return error.outcome.code if 400 <= error.outcome.code < 500 else 409
        case NotFound():
            return 404
        case Refused():
            return 409
        case TooLarge():
            return 413
        case BadMessage() | BadDefinition() | BadExpression():
            return 400
        case Full():
            return 429
        case Transient():
            return 503
        case _:
            return 500


def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BatonError)
    if isinstance(error, BadDefinition):
        return problem(400, str(error), validationErrors=described(error.faults))
    status = status_of(error)
    if status >= 500:
        _log.warning("request.failed", path=request.url.path, reason=str(error))
    more = {"workflowId": error.workflow_id} if isinstance(error, Unanswered) else {}
    return problem(status, told(error), retryable=isinstance(error, Transient) or status == 429, **more)


def told(error: BatonError) -> str:
    """Return what a caller is told: of a database or broker that is away not where it is, which stands in the log."""
    match error:
        case StoreUnavailable():
            return "The database is away: try again in a moment. The server's log says more."
        case BrokerUnavailable():
            return "The broker is away: try again in a moment. The server's log says more."
        case _:
            return str(error)


def _parameter(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(str(step) for step in fault['loc'][1:])}: {fault['msg']}" for fault in error.errors()]
    return problem(400, "A parameter cannot be read: " + "; ".join(faults))


def _framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path}"
    known = {404: f"There is no {where} here.", 405: f"{where}: this path does not know that method."}
    response = problem(error.status_code, known.get(error.status_code, str(error.detail)))
    # Such as Allow, by which a client learns the methods that are there.
    response.headers.update(error.headers or {})
    return response


def _unknown(request: Request, error: Exception) -> JSONResponse:
    _log.error("request.crashed", path=request.url.path, exc_info=error)
    return problem(500, "The server failed on this request; its log says why. Nothing is known to have changed.")
