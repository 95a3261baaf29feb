"""A gate in front of a server: shut, the server is away for whoever comes this way."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit


class Gate:
    """Passes on what comes to ``url`` to the server at ``target``, a URL of any protocol over TCP."""

    def __init__(self, target: str, default_port: int) -> None:
        self._default_port = default_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._lines: list[socket.socket] = []
        self._server: tuple[str, int] | None = None
        self._target = target
        self.open(target)
        threading.Thread(target=self._admit, daemon=True).start()

    @property
    def url(self) -> str:
        """The target's URL with the gate's address in place of the server's."""
        parts = urlsplit(self._target)
        credentials = parts.netloc.rpartition("@")[0]
        port = self._listener.getsockname()[1]
        return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{port}"))

    def open(self, target: str | None = None) -> None:
        """Let everybody through, to the same server or to another."""
        parts = urlsplit(target or self._target)
        self._server = (parts.hostname or "127.0.0.1", parts.port or self._default_port)

    def shut(self) -> None:
        """End every line, and let nobody through."""
        self._server = None
        self.cut()

    def cut(self) -> None:
        """End every line; who comes again is let through."""
        with self._lock:
            lines, self._lines = self._lines, []
        for line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def passing(self, data: bytes) -> bytes:
        """Return what of the data goes on: all of it, at once."""
        return data

    def close(self) -> None:
        """Shut it for good."""
        self._listener.close()
        self.shut()

    def _admit(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            server = self._server
            try:
                if server is None:
                    raise ConnectionRefusedError
                outer = socket.create_connection(server)
            except OSError:
                inner.close()
                continue
            with self._lock:
                self._lines += [inner, outer]
            for source, sink in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(self.passing(data))
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
