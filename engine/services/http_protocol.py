"""HTTP as the server speaks it: uvicorn's protocol, with the head and the body of an answer in one packet."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Gathering:
    """A transport that sends together what is written to it in one turn of the event loop.

    uvicorn writes the head of an answer and its body one after the other. Each write is a system call and a packet of
    its own, and the client is woken twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send this with whatever else is written before the loop goes on."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Send what was written, and end."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            self._transport.write(b"".join(pieces))


class HttpProtocol(H11Protocol):
    """One connection.

    On h11, also where httptools is installed: that one loses the body of a request that offers to go on in HTTP/2, as
    Java's own client does with every first one.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(Gathering(transport, self.loop))  # type: ignore[arg-type]
