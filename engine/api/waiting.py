"""Requests that wait for a run: by its news, never by looking again and again, and only while the client is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

from fastapi import Request
from starlette.responses import Response

from engine.api.family import Family
from engine.api.news import News, Watch
from engine.errors import Transient

_R = TypeVar("_R", bound=Response)

#: Seconds until the next attempt to read from a database that is away.
_BACK_OFF_SECONDS = 0.5

#: Seconds for which a run may be read without a pause as long behind it: larger ones are not read again and again.
_QUICK_SECONDS = 0.02

#: What nginx calls a request whose client has gone; nobody reads it.
_GONE = 499


async def settle(family: Family, news: News, watch: Watch, until: float) -> bool:
    """Wait until a family is settled or the server ends, at most until then (the loop's time); return whether it is.

    When the time is up it is read once more: news may have been lost on its way. A database that is away is waited
    for; raises ``StoreUnavailable`` when it does not come back in time.
    """
    loop = asyncio.get_running_loop()
    stale: set[str] = {family.workflow_id}
    while True:
        begun = loop.time()
        await _read(family, news, watch, stale, until)
        if family.is_settled or watch.closing or loop.time() >= until:
            return family.is_settled
        await watch.rests(min(loop.time() - begun - _QUICK_SECONDS, until - loop.time()))
        stale = await _wait(family, watch, until)


async def _wait(family: Family, watch: Watch, until: float) -> set[str]:
    """Wait for news and return the runs that it is about; all of them when the time is up."""
    loop = asyncio.get_running_loop()
    while await watch.stirs(until - loop.time()) and not watch.closing:
        missed, changed = watch.take()
        stale = set(family.runs) if missed else {each.workflow_id for each in changed if family.is_new(each)}
        if stale:
            return stale
    return set(family.runs)


async def _read(family: Family, news: News, watch: Watch, stale: set[str], until: float) -> None:
    """Read what is stale, and what that leads to; each run is watched before it is read, so that nothing is missed."""
    loop = asyncio.get_running_loop()
    while stale:
        news.also(watch, stale)
        try:
            stale = await news.reading(partial(family.look, stale))
        except Transient:
            if loop.time() >= until:
                raise
            await asyncio.sleep(_BACK_OFF_SECONDS)


async def unless_gone(request: Request, work: Awaitable[_R]) -> _R | Response:
    """Return what the work comes to; end it as soon as the client goes away."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else Response(status_code=_GONE)
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    """Return once the client has gone; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
