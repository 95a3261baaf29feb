"""Completes the OpenAPI document that FastAPI makes of the routes: bodies, answers, errors, examples and summaries."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine.api.openapi import of_definitions, of_runs, of_server, of_waiting, page
from engine.api.openapi.schemas import schemas
from engine.api.openapi.shape import JSON, Answer, Body, Shape, ref
from engine.model.payload import Json

_ABOUT: Final = (
    "Conductor's REST interface, so that its clients need no change. Errors are 4xx where the caller is mistaken and "
    "503 where the same call may succeed later; each has the body `Error`. Query parameters that are not known are "
    "ignored. There is no log-in: put a proxy in front."
)

#: What every operation may answer when something is wrong, and what that means here.
_ERRORS: Final = {
    400: "A mistake in the call; the message names it, with its path.",
    404: "There is no such thing, or no such path.",
    409: "It does not fit the present state.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
    429: "Too much at once: come again after `Retry-After` seconds.",
    500: "A fault of the server; its log says why.",
    503: "Database, broker or deciders are away: `retryable` is true.",
}

#: What only some operations answer.
_RARE_ERRORS: Final = {
    401: "The sender could not be verified.",
    403: "That is not shown to anybody.",
    501: "That is set where the processes are started.",
}

#: What parameters mean, by the names that clients know.
_PARAMETERS: Final = {
    "archiveWorkflow": "whether the run can still be read afterwards",
    "classifier": "kinds of workflows, separated by commas",
    "freeText": "text to be found; `*` finds everything",
    "consistency": "read by nobody: what is answered is always stored",
    "includeClosed": "whether runs that have ended are listed too",
    "includeTasks": "whether tasks are shown",
    "lastEventId": "what was told last, like the header `Last-Event-ID`",
    "overwrite": "whether a version that exists is replaced",
    "query": "clauses such as `workflowType = order AND status IN (FAILED,TIMED_OUT)`",
    "reason": "why, as it will stand in the run",
    "requestId": "comes back in the answer",
    "returnStrategy": "what the answer tells of: TARGET_WORKFLOW, TARGET_WORKFLOW_OUTPUT, BLOCKING_WORKFLOW, "
    "BLOCKING_TASK or BLOCKING_TASK_INPUT",
    "short": "whether the steps are left out",
    "size": "at most so many",
    "start": "how many to leave out",
    "strict": "whether what will not work as it reads is refused",
    "timeoutMillis": "how long to wait for the run to come to rest",
    "useLatestDefinitions": "whether the run goes on by the definition that is registered now",
    "version": "the latest when it is missing",
    "waitForSeconds": "how long to wait; 0 means 10",
    "waitUntilTaskRef": "reference names, separated by commas: the end of any of these tasks is waited for",
    "workerid": "who reports",
    "workflowType": "names of workflows, separated by commas",
}

#: What is known of each operation, by its method and path.
SHAPES: Final = {**of_definitions.SHAPES, **of_runs.SHAPES, **of_waiting.SHAPES, **of_server.SHAPES}
_UNSAID: Final = Shape()


#: Where clients of Conductor look for the document.
_DOCUMENT_TOO: Final = ("/api-docs", "/v3/api-docs")


def describe(app: FastAPI) -> None:
    """Have the application's document completed when it is first asked for, and found where clients look for it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
            app.openapi_schema = _completed(made)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]

    def as_json(request: Request) -> Response:
        return JSONResponse(app.openapi())

    for path in _DOCUMENT_TOO:
        app.add_route(path, as_json, include_in_schema=False)
    page.show(app)


def _completed(made: dict[str, Any]) -> dict[str, Any]:
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path, SHAPES.get(f"{method.upper()} {path}", _UNSAID))
    made["components"] = {"schemas": schemas(), "responses": _error_responses()}
    return made


def _complete(operation: dict[str, Any], path: str, shape: Shape) -> None:
    if said := operation.get("description"):
        operation["summary"] = said.partition("\n")[0].rstrip(".")
    operation.setdefault("tags", [_subject(path)])
    for parameter in operation.get("parameters", ()):
        if (meaning := _PARAMETERS.get(parameter["name"])) is not None:
            parameter["description"] = meaning
    if shape.takes is not None:
        operation["requestBody"] = _body(shape.takes)
    refused = {status: {"$ref": f"#/components/responses/{status}"} for status in (*_ERRORS, *shape.also)}
    answered = {each.status: _answered(each) for each in shape.gives}
    operation["responses"] = {str(status): said for status, said in sorted({**refused, **answered}.items())}


def _subject(path: str) -> str:
    parts = [part for part in path.split("/") if part and part != "api"]
    return parts[0] if len(parts) > 1 else "server"


def _body(body: Body) -> Json:
    return {"required": body.required, "content": {JSON: {"schema": body.schema, "example": body.example}}}


def _answered(answer: Answer) -> Json:
    said: dict[str, Json] = {"description": HTTPStatus(answer.status).phrase}
    if answer.schema is not None:
        shown = {} if answer.example is None else {"example": answer.example}
        said["content"] = {answer.media: {"schema": answer.schema, **shown}}
    return said


def _error_responses() -> Json:
    found: dict[str, Json] = {}
    for status, meaning in (_ERRORS | _RARE_ERRORS).items():
        example = {"status": status, "message": meaning, "instance": "server-1", "retryable": status == 503}
        found[str(status)] = {
            "description": meaning,
            "content": {JSON: {"schema": ref("Error"), "example": example}},
        }
    found["429"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    return found
