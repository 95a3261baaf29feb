"""A worker's side of HTTP: one connection that is kept, and as little of the client's own time as Python allows."""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import Any

_PATIENCE = 60


class Client:
    """Asks one server; belongs to one thread."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)

    def get(self, path: str) -> bytes:
        """Return the answer's body; raise for anything but a success."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: bytes) -> bytes:
        """Return the answer's body; raise for anything but a success."""
        return self._ask("POST", path, body)

    def _ask(self, verb: str, path: str, body: bytes | None) -> bytes:
        if self._connection.sock is None:
            self._connection.connect()
            # A body in a packet of its own would wait for the confirm of the headers'.
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.request(verb, path, body, {"Content-Type": "application/json"} if body else {})
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{verb} {path} was answered with {answer.status}: {read[:300]!r}")
        return read

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_until_served(port: int) -> None:
    """Return once a server answers that it is well."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        client = Client(port)
        try:
            client.get("/health")
        except (OSError, RuntimeError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
        finally:
            client.close()


def completed(task: dict[str, Any]) -> bytes:
    """Return the report of a worker that has done a task."""
    return json.dumps(
        {
            "taskId": task["taskId"],
            "workflowInstanceId": task["workflowInstanceId"],
            "workerId": "bench",
            "status": "COMPLETED",
            "outputData": {},
        }
    ).encode()
