"""Talks to the server over HTTP; every failure is one sentence, the next step and an exit code.

On the standard library: a client library's import alone takes as long as a whole command may take to start.
"""

from __future__ import annotations

import http.client
import json
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from engine.cli.failure import UNREACHABLE, USAGE, Failure, code_of_status
from engine.cli.options import headers_for, server_url

#: Seconds; above the server's own limit for an answer of the deciders, so that its reason arrives here.
_TIMEOUT = 30.0

#: Seconds without a call after which the connection is opened anew; servers keep an idle one for five.
_IDLE_SECONDS = 2.0


class Client:
    """One connection to a server, kept open between calls; use it in a ``with`` block."""

    def __init__(self, server: str | None) -> None:
        self._url = server_url(server).rstrip("/")
        self._headers = {"Accept": "application/json, text/plain", **headers_for(self._url)}
        parts = urlsplit(self._url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise Failure(
                f"The server's address {self._url!r} is no HTTP address.",
                code=USAGE,
                hint="Write it as http://host:8080, in --server or BATON_SERVER_URL.",
            )
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._base = parts.path
        self._connection = kind(parts.hostname, port, timeout=_TIMEOUT)
        self._last_heard = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, *path: str, **query: object) -> Any:
        """Return the JSON at a path."""
        return self.call("GET", path, query)

    def post(self, *path: str, body: object = None, **query: object) -> Any:
        """Post a body; return the answer as JSON, text or None."""
        return self.call("POST", path, query, body)

    def put(self, *path: str, **query: object) -> Any:
        """Ask for a change; return the answer as JSON, text or None."""
        return self.call("PUT", path, query)

    def delete(self, *path: str, **query: object) -> Any:
        """Ask for an end; return the answer as JSON, text or None."""
        return self.call("DELETE", path, query)

    def call(self, method: str, path: tuple[str, ...], query: dict[str, object], body: object = None) -> Any:
        """Send one request under ``/api``; parts of the path are quoted, query fields that are None left out.

        Raises ``Failure`` with the server's own sentence when it refuses, and with what to do when it is not there.
        """
        status, kind, content = self._exchange(method, path, query, body)
        if status >= 400:
            raise self._refused(status, content)
        if not content:
            return None
        text = content.decode("utf-8", "replace")
        return self._parsed(text) if kind == "application/json" else text

    def _exchange(
        self, method: str, path: tuple[str, ...], query: dict[str, object], body: object
    ) -> tuple[int, str, bytes]:
        given = urlencode({name: _written(value) for name, value in query.items() if value is not None})
        target = f"{self._base}/api/" + "/".join(quote(part, safe="") for part in path) + (f"?{given}" if given else "")
        headers = dict(self._headers)
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        return self._send(method, target, payload, headers)

    def _send(self, method: str, target: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, str, bytes]:
        if time.monotonic() - self._last_heard > _IDLE_SECONDS:
            # The server closes what was idle for some seconds, which a request would find out too late.
            self._connection.close()
        try:
            try:
                self._connection.request(method, target, payload, headers)
                response = self._connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # A server closes what was idle for some seconds; only what changes nothing may simply be sent again.
                self._connection.close()
                if method != "GET":
                    raise
                self._connection.request(method, target, payload, headers)
                response = self._connection.getresponse()
            content = response.read()
            self._last_heard = time.monotonic()
            return response.status, response.headers.get_content_type(), content
        except TimeoutError:
            raise self._unreachable(f"did not answer within {_TIMEOUT:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(f"cannot be reached ({_reason(error)})") from None

    def _unreachable(self, what: str) -> Failure:
        self._connection.close()
        return Failure(
            f"The server at {self._url} {what}.",
            code=UNREACHABLE,
            hint="Start one with 'baton dev' or 'baton server', or name another one with --server.",
        )

    def _refused(self, status: int, content: bytes) -> Failure:
        try:
            message = str(json.loads(content)["message"])
        except (ValueError, KeyError, TypeError):
            return Failure(
                f"{self._url} answered with HTTP status {status}, not as a Baton server would.",
                code=code_of_status(status),
                hint="Check the address: --server or BATON_SERVER_URL.",
            )
        return Failure(message, code=code_of_status(status))

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise Failure(
                f"The server at {self._url} answered with something that is not JSON.",
                hint="Check the address: --server or BATON_SERVER_URL.",
            ) from None


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
