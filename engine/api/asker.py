"""Who asks: what a proxy that knows its users says of them, kept with every request for the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from fastapi import Request

#: The headers by which proxies name the user, in the order in which they are believed.
_HEADERS = ("x-forwarded-user", "x-remote-user")

#: Characters of a name that are kept.
_LONGEST = 200

#: The user on whose behalf this very call is handled, None where no proxy says so.
asker: ContextVar[str | None] = ContextVar("asker", default=None)


async def note_asker(request: Request) -> None:
    """Remember who asks, for whatever is done to handle the call."""
    note(request.headers)


def note(headers: Mapping[str, str]) -> None:
    """Remember whom the headers of a call name, which have small letters."""
    named = next((name for header in _HEADERS if (name := headers.get(header, "").strip())), None)
    asker.set(named[:_LONGEST] if named else None)
