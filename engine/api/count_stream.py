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


class Count(Struct, frozen=True):
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
        self._counts: dict[frozenset[str] | None, Count] = {}

    async def count(self, names: frozenset[str] | None) -> Count:
        """Return a count of these workflows' runs that begins after this call; raise ``StoreUnavailable``."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        async with self._turn:
            known = self._counts.get(names)
            if known is not None and known.begun >= asked:
                return known
            begun = loop.time()
            statuses = await self._news.reading(partial(self._look, names))
            counted = self._counts[names] = Count(statuses, begun, loop.time() - begun)
            return counted

    def forget(self, names: frozenset[str] | None) -> None:
        """Let go of a count that nobody may want any more."""
        self._counts.pop(names, None)

    def _look(self, names: frozenset[str] | None) -> dict[str, int]:
        with self._store.transaction() as tx:
            return {status.value: number for status, number in tx.count_runs(names).items()}


async def told(counting: Counting, watch: Watch, names: frozenset[str] | None, first: Count) -> AsyncIterator[bytes]:
    """Yield the ``first`` count of these workflows' runs, and again whenever it has changed, until the server ends."""
    said: Json = None
    counted: Count | None = first
    while not watch.closing:
        if counted is not None and counted.statuses != said:
            said = counted.statuses
            yield event("counts", {"counts": said, "total": sum(said.values())})
        await watch.rests(max(_PACE_SECONDS, 0 if counted is None else counted.took * _REST))
        while not await watch.stirs(HEARTBEAT_SECONDS):
            yield HEARTBEAT
        counted = await _counted(counting, watch, names)


async def _counted(counting: Counting, watch: Watch, names: frozenset[str] | None) -> Count | None:
    """Return how the runs stand after all news so far; None while the database is away, to be asked for again."""
    watch.take()
    try:
        return await counting.count(names)
    except Transient:
        watch.miss()
        return None
