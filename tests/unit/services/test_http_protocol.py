"""How the server's answers leave."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from engine.services.http_protocol import Gathering, HttpProtocol


class _Written(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__({"peername": ("here", 1)})
        self.packets: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.packets.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True


def test_what_is_written_in_one_turn_of_the_loop_is_one_packet() -> None:
    async def packets() -> list[bytes]:
        written = _Written()
        gathering = Gathering(written, asyncio.get_running_loop())
        gathering.write(b"a")
        gathering.write(b"b")
        assert not written.packets
        await asyncio.sleep(0)
        gathering.write(b"c")
        await asyncio.sleep(0)
        assert gathering.get_extra_info("peername") == ("here", 1)
        return written.packets

    assert asyncio.run(packets()) == [b"ab", b"c"]


def test_nothing_that_was_written_is_lost_when_the_connection_ends() -> None:
    async def packets() -> list[bytes]:
        written = _Written()
        gathering = Gathering(written, asyncio.get_running_loop())
        gathering.write(b"a")
        gathering.close()
        assert written.is_closed
        await asyncio.sleep(0)
        return written.packets

    assert asyncio.run(packets()) == [b"a"]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve an application that answers with what it was sent."""

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(echo, http=HttpProtocol, lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def test_a_body_arrives_whose_sender_offers_http_2(port: int) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" + offer + b"\r\n")
        client.sendall(b"hello")
        answer = b""
        while piece := client.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nhello")
