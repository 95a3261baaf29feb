"""How many runs stand how, told whenever that has changed; the counting is shared by all who want to know the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from msgspec import Struct

from engine.api.event_stream import HEARTBEAT, HEARTBEAT_SECONDS, event
from engine.api.news import News, Watch
from engine.errors import Transient
from engine.model.payload import Json
from engine.store.port import Store

#: Seconds from one count to the next at least.
_PACE_SECONDS = 1.0

#: So many times as long as counting has taken there is none: a tenth of one connection is all that it may cost.
_REST = 9


class _Count(Struct, frozen=True):
    """What was counted, when that began, and how long it took, in the loop's seconds."""

    statuses: dict[str, int]
    begun: float
    took: float


class Counting:
    """Counts runs for all the streams of a server, one count at a time."""

    def __init__(self, store: Store, news: News) -> None:
        self._store = store
        self._news = news
        self._turn = asyncio.Lock()
        self._counts: dict[frozenset[str] | None, _Count] = {}

    async def count(self, names: frozenset[str] | None, since: float) -> _Count:
        """Return a count of these workflows' runs that began after ``since``; raise ``StoreUnavailable``."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            known = self._counts.get(names)
            if known is not None and known.begun >= since:
                return known
            begun = loop.time()
            statuses = await self._news.reading(partial(self._look, names))
            counted = self._counts[names] = _Count(statuses, begun, loop.time() - begun)
            return counted

    def forget(self, names: frozenset[str] | None) -> None:
        """Let go of a count that nobody may want any more."""
        self._counts.pop(names, None)

    def _look(self, names: frozenset[str] | None) -> dict[str, int]:
        with self._store.transaction() as tx:
            return {status.value: number for status, number in tx.count_runs(names).items()}


async def told(counting: Counting, watch: Watch, names: frozenset[str] | None) -> AsyncIterator[bytes]:
    """Yield the counts of these workflows' runs, and again whenever they have changed, until the server ends."""
    said: Json = None
    try:
        while not watch.closing:
            counted = await _counted(counting, watch, names)
            if counted is not None and counted.statuses != said:
                said = counted.statuses
                yield event("counts", {"counts": said, "total": sum(said.values())})
            await watch.rests(max(_PACE_SECONDS, 0 if counted is None else counted.took * _REST))
            while not await watch.stirs(HEARTBEAT_SECONDS):
                yield HEARTBEAT
    finally:
        counting.forget(names)


async def _counted(counting: Counting, watch: Watch, names: frozenset[str] | None) -> _Count | None:
    """Return how the runs stand after all news so far; None while the database is away, to be asked for again."""
    watch.take()
    try:
        return await counting.count(names, since=asyncio.get_running_loop().time())
    except Transient:
        watch.miss()
        return None
