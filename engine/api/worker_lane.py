"""The short way to the calls of workers: what the framework does for every call would cost more than the calls do."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.api.asker import note
from engine.api.body import json_body
from engine.api.polling import WAIT_MS
from engine.api.problem import answer_to
from engine.api.worker_calls import WorkerCalls
from engine.errors import BatonError

_BATCH: Final = "/api/tasks/poll/batch/"
_UPDATE_AND_POLL: Final = "/api/tasks/update-v2"
_UPDATE: Final = "/api/tasks"

_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,9}", re.ASCII).fullmatch

_Call = Callable[[Request], Awaitable[Response]]


class WorkerLane:
    """An ASGI application around another, which answers the calls that workers make for every task.

    It takes only what is in order. The other has the same calls as routes: whatever is odd goes there, to be told
    what is wrong with it.
    """

    def __init__(self, app: ASGIApp, calls: WorkerCalls) -> None:
        self._app = app
        self._calls = calls
        self._posted: Mapping[str, Callable[[Request, bytes], Awaitable[Response]]] = {
            _UPDATE_AND_POLL: calls.update_and_poll,
            _UPDATE: calls.update,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a worker's call, or pass it on."""
        call = self._call(scope) if scope["type"] == "http" and not scope.get("root_path") else None
        if call is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        note(request.headers)
        try:
            response = await call(request)
        except (BatonError, HTTPException) as error:
            response = answer_to(request, error)
        await response(scope, receive, send)

    def _call(self, scope: Scope) -> _Call | None:
        """Return how a call is answered here, None where it is not."""
        path: str = scope["path"]
        if scope["method"] == "GET" and path.startswith(_BATCH):
            return self._poll(path[len(_BATCH) :], scope["query_string"])
        if scope["method"] == "POST" and not scope["query_string"] and (posted := self._posted.get(path)) is not None:
            return self._post(posted)
        return None

    def _poll(self, task_type: str, query: bytes) -> _Call | None:
        wishes = _read(query)
        if wishes is None or not task_type or "/" in task_type or "\0" in task_type:
            return None
        count, wait_ms = wishes.get("count", "1"), wishes.get("timeout", str(WAIT_MS))
        if not _WHOLE_NUMBER(count) or not _WHOLE_NUMBER(wait_ms):
            return None
        worker, domain = wishes.get("workerid"), wishes.get("domain")

        async def poll(request: Request) -> Response:
            return await self._calls.poll_batch(
                request, task_type, worker, domain, count=int(count), wait_ms=int(wait_ms)
            )

        return poll

    def _post(self, posted: Callable[[Request, bytes], Awaitable[Response]]) -> _Call:
        async def post(request: Request) -> Response:
            return await posted(request, await json_body(request))

        return post


def _read(query: bytes) -> dict[str, str] | None:
    """Return what a query says, the last of each name as the framework has it; None for one that is to be judged."""
    try:
        found = dict(parse_qsl(query.decode("ascii"), keep_blank_values=True))
    except ValueError:
        return None
    return None if any("\0" in value for value in found.values()) else found
