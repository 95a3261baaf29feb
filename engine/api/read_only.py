"""A server that only shows: what would change anything is turned away before the routes, with the reason."""

from __future__ import annotations

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from engine.api.problem import problem

_SHOWING: Final = ("GET", "HEAD", "OPTIONS")

#: What is sent and changes nothing: questions that are too long for an address, trials, and the log-in that is none.
_ASKED_BY_POST: Final = re.compile(
    r"/api/(workflow/[^/]+/correlated|workflow/correlated/batch|workflow/bulk/search|workflow/test|token"
    r"|metadata/(workflow|taskdefs)/validate)"
)

#: What is fetched and changes something: polls take tasks, and Conductor's scheduler is paused so.
_CHANGED_BY_GET: Final = re.compile(r"/api/(tasks/poll/.+|scheduler/admin/(pause|resume|requeue))")

_REASON: Final = (
    "This server only shows, and changes nothing (BATON_READ_ONLY): send this to a server that works on the database "
    "itself."
)


class ReadOnly:
    """An ASGI application around another; answers 405 to whatever would change something."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call in that only looks."""
        if scope["type"] != "http" or shows(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        refusal = problem(405, _REASON)
        refusal.headers["Allow"] = "GET, HEAD"
        await refusal(scope, receive, send)


def shows(method: str, path: str) -> bool:
    """Tell whether a call changes nothing."""
    if method == "POST":
        return _ASKED_BY_POST.fullmatch(path) is not None
    return method in _SHOWING and _CHANGED_BY_GET.fullmatch(path) is None
