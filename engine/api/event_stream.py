"""Server-Sent Events: their form, and an answer that goes on until its story is told or nobody reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from engine.model.payload import Json
from engine.wire.fields import write_json

#: Seconds between two signs of life: proxies hang up on connections that are silent for a minute.
HEARTBEAT_SECONDS: Final = 15.0

#: A comment, which clients leave unread.
HEARTBEAT: Final = b": alive\n\n"

#: Seconds after which a client that takes nothing of what it is sent has gone, whatever its connection says.
_STALLED_SECONDS = 60.0

_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    # nginx would else collect what is sent until it has some kilobytes of it.
    "X-Accel-Buffering": "no",
}

#: Milliseconds until a client that has lost the line asks again.
_RETRY = b"retry: 2000\n\n"


def event(name: str, data: Json, identity: str | None = None) -> bytes:
    """Return one event; a client that comes again names the last ``identity`` that it was given."""
    line = b"" if identity is None else f"id: {identity}\n".encode()
    return line + f"event: {name}\n".encode() + b"data: " + write_json(data) + b"\n\n"


class EventStream(StreamingResponse):
    """Sends events as they come, and no faster than the client takes them; ``held`` is let go of at the end."""

    def __init__(self, events: AsyncIterator[bytes], held: ExitStack) -> None:
        super().__init__(_begun(events), media_type="text/event-stream", headers=_HEADERS)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it."""
        with self._held:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send all of it, as long as the client takes it."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(_STALLED_SECONDS):
                await send(message)

        try:
            await super().stream_response(in_time)
        except TimeoutError:
            # The connection is closed with it; a client that wakes up asks again.
            return


async def _begun(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield _RETRY
    async for each in events:
        yield each
