"""A gate in front of RabbitMQ that can cut every line through it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import pika


class BreakableRabbit:
    """A real server, reached through a gate at ``url``."""

    def __init__(self, url: str) -> None:
        self._direct = url
        parts = urlsplit(url)
        self._server = (parts.hostname or "localhost", parts.port or 5672)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._lines: list[socket.socket] = []
        credentials = parts.netloc.rpartition("@")[0]
        port = self._listener.getsockname()[1]
        self.url = urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{port}"))
        threading.Thread(target=self._admit, daemon=True).start()

    def cut(self) -> None:
        """End every line; what comes later is let through again."""
        with self._lock:
            lines, self._lines = self._lines, []
        for line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def delete_queue(self, name: str) -> None:
        """Delete a queue, past the gate."""
        with pika.BlockingConnection(pika.URLParameters(self._direct)) as connection:
            connection.channel().queue_delete(name)

    def close(self) -> None:
        """Shut the gate."""
        self._listener.close()
        self.cut()

    def _admit(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            outer = socket.create_connection(self._server)
            with self._lock:
                self._lines += [inner, outer]
            for source, target in ((inner, outer), (outer, inner)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
