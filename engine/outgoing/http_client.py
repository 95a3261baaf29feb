"""The HTTP client of tasks: it connects to judged addresses only, and gives up in time however slow the answer."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpcore
import httpx

from engine.outgoing.network import AddressRefused, rules

#: When the call that this thread makes must be over (monotonic seconds).
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float) -> Any:
    """Let every wait of a call made inside end when the time is over, with the timeout that it waits for."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def new_client() -> httpx.Client:
    """Return a client that keeps connections but no cookies, as one run's must not reach another's calls.

    Proxies and certificates that the environment names are not heeded: a proxy would connect to what we may not.
    """
    return httpx.Client(
        transport=_Transport(),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        trust_env=False,
        headers={"Accept-Encoding": "gzip, deflate"},
    )


class _Transport(httpx.HTTPTransport):
    """httpx's own, on connections of our making."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        # httpx has no other way to choose how connections are made.
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=None,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_Network(),
        )


class _Network(httpcore.NetworkBackend):
    """Resolves a name once, judges its addresses, and connects to one that was judged; Host and TLS keep the name."""

    def __init__(self) -> None:
        self._sockets: Final = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = rules().resolve(host, port)
        except AddressRefused as refusal:
            raise httpcore.ConnectError(str(refusal)) from refusal
        except (OSError, UnicodeError, ValueError) as error:
            raise httpcore.ConnectError(str(error)) from error
        fault: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(address, port, _left(timeout), local_address, socket_options)
                return _Stream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault


class _Stream(httpcore.NetworkStream):
    """A connection whose waits end with the call's time, not only each with its own."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, over: type[Exception] = httpcore.ConnectTimeout) -> float | None:
    """Return how long to wait: as long as was asked for, but no longer than the call's time lasts."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise over("the call took too long")
    return left if timeout is None else min(timeout, left)
