"""A server ends when it is told to, at whatever moment that comes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from engine.config import Settings
from engine.errors import BadConfiguration
from engine.services import grpc_door
from engine.services.grpc_door import check_grpc
from engine.services.server import IDLE_SECONDS, check_served, listen, serve
from engine.services.stopping import Stop


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_server_that_is_told_to_stop_before_it_begins_does_not_begin(listener: socket.socket) -> None:
    stop, begun = Stop(), threading.Event()
    stop.now()
    serve(FastAPI(), listener, Settings(), stop, begun.set)
    assert not begun.is_set()


def test_a_server_ends_once_another_thread_wants_it_to(listener: socket.socket) -> None:
    stop, answered = Stop(), []
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

    def ask_and_stop() -> None:
        answered.append(httpx.get(url).status_code)
        stop.now()

    asking = threading.Thread(target=ask_and_stop)
    serve(FastAPI(), listener, Settings(), stop, asking.start)
    asking.join()
    assert answered == [404]


def test_small_answers_on_a_kept_connection_leave_at_once() -> None:
    async def waits_for_more(listener: socket.socket) -> bool:
        accepted: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()

        async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set_result(writer.get_extra_info("socket"))

        async with await asyncio.start_server(accept, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            delays = not (await accepted).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
            return delays

    assert not asyncio.run(waits_for_more(listen(Settings(http_port=0))))


def test_a_port_for_grpc_without_grpc_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_grpc(Settings())
    monkeypatch.setattr(grpc_door, "find_spec", lambda _: None)
    check_grpc(Settings())
    with pytest.raises(BadConfiguration, match=r"BATON_GRPC_PORT.*pip install 'baton-engine\[grpc\]'"):
        check_grpc(Settings(grpc_port=8090))


def test_a_port_for_grpc_that_is_taken_is_told_at_the_start(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_door, "_is_installed", lambda _: True)
    port = listener.getsockname()[1]
    with pytest.raises(BadConfiguration, match=f"127.0.0.1:{port} cannot be listened on .*BATON_GRPC_PORT"):
        check_grpc(Settings(grpc_port=port))


def test_a_server_keeps_an_idle_connection_for_longer_than_its_clients_do() -> None:
    assert (httpx.Limits().keepalive_expiry or 0) < 60 < IDLE_SECONDS


def test_everything_that_cannot_be_served_is_told_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(grpc_port=taken.getsockname()[1], ui_folder=str(tmp_path))
        with pytest.raises(BadConfiguration) as refused:
            check_served(settings)
    grpc, pages = refused.value.faults
    assert ("BATON_GRPC_PORT" in grpc, "BATON_UI_FOLDER" in pages) == (True, True)
