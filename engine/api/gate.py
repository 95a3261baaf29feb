"""The gate before all routes: so many calls at a time, so that a crowd is turned away early instead of served late."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.api.problem import problem

#: Calls that wait without holding a thread, and may be many.
_WAITING: Final = ("/api/tasks/poll/", "/api/workflow/execute/")
_STREAM: Final = "/stream"


class Gate:
    """An ASGI application around another; answers 429 above ``most`` calls, and HEAD like GET without the body."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call in, or turn it away."""
        if scope["type"] != "http" or _waits(scope["path"]):
            await self._app(scope, receive, send)
            return
        if self._inside >= self._most:
            refusal = problem(429, f"{self._most:,} calls are under way: come again in a moment.", retryable=True)
            await refusal(scope, receive, send)
            return
        self._inside += 1
        try:
            if scope["method"] == "HEAD":
                await self._app({**scope, "method": "GET"}, receive, _without_body(send))
            else:
                await self._app(scope, receive, send)
        finally:
            self._inside -= 1


def _waits(path: str) -> bool:
    return path.startswith(_WAITING) or path.endswith(_STREAM)


def _without_body(send: Send) -> Send:
    async def quietly(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return quietly
