"""gRPC's standard health check: what /health says, in its words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from starlette.concurrency import run_in_threadpool

from engine.api.grpc.call import Answers, Call, Read, Write, one
from engine.api.grpc.messages import services
from engine.api.health_routes import health_results
from engine.api.requester import Requester
from engine.errors import NotFound
from engine.model.payload import JsonObject
from engine.store.port import Store

#: Seconds between two looks for those who watch; they share each look.
LOOK_SECONDS: Final = 1.0


class Health:
    """Looks whether the server can work; every service is as healthy as the server is, until it is ``leaving``."""

    def __init__(self, store: Store, requester: Requester, leaving: asyncio.Event) -> None:
        self._store = store
        self._requester = requester
        self._leaving = leaving
        self._known = {"", *(service.full_name for service in services())}
        self._looking = asyncio.Lock()
        self._seen: tuple[float, str] | None = None

    def calls(self) -> Mapping[str, Call]:
        """Return the calls by the names of their methods."""
        # A probe that is turned away would have a busy server killed.
        return {"Check": one(self._check, waits=True), "Watch": Call(self._watch, waits=True)}

    def _check(self, asked: JsonObject) -> JsonObject:
        name = asked.get("service", "")
        if name not in self._known:
            raise NotFound(f"There is no service {name[:200]!r} here.")
        return {"status": self._look()}

    async def _watch(self, read: Read, write: Write) -> Answers:
        """Say how it is, and again when that changes; a service that is not there is no mistake, says the standard."""
        known = read().get("service", "") in self._known
        said = None
        while not self._leaving.is_set():
            now = await self._shared_look() if known else "SERVICE_UNKNOWN"
            if now != said:
                said = now
                yield write({"status": now})
            await self._pause()
        yield write({"status": "NOT_SERVING"})

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), LOOK_SECONDS)

    async def _shared_look(self) -> str:
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if self._seen is None or now - self._seen[0] >= LOOK_SECONDS:
                self._seen = (now, await run_in_threadpool(self._look))
            return self._seen[1]

    def _look(self) -> str:
        healthy = all(result["healthy"] for result in health_results(self._store, self._requester))
        return "SERVING" if healthy else "NOT_SERVING"
