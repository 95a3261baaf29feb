"""A proxy in front of a server, whose lines are cut, slowed down, silenced or half closed, and which can be shut."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit


class TcpProxy:
    """Passes on what comes to ``url`` to the server at ``target``, a URL of any protocol over TCP."""

    def __init__(self, target: str, default_port: int) -> None:
        self._target = target
        self._default_port = default_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        #: Each line's end towards the client with its end towards the server.
        self._lines: dict[socket.socket, socket.socket] = {}
        self._server: tuple[str, int] | None = None
        self._delay = 0.0
        self._silent = False
        #: Bytes that were lost in silence.
        self.lost = 0
        self.open(target)
        threading.Thread(target=self._admit, daemon=True).start()

    @property
    def url(self) -> str:
        """The target's URL with the proxy's address in place of the server's."""
        parts = urlsplit(self._target)
        credentials = parts.netloc.rpartition("@")[0]
        port = self._listener.getsockname()[1]
        return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{port}"))

    def open(self, target: str | None = None) -> None:
        """Let everybody through, to the same server or to another."""
        parts = urlsplit(target or self._target)
        self._server = (parts.hostname or "127.0.0.1", parts.port or self._default_port)

    def shut(self) -> None:
        """End every line, and let nobody through: the server is away for whoever comes this way."""
        self._server = None
        self.cut()

    def cut(self) -> None:
        """End every line; who comes again is let through."""
        with self._lock:
            ends = [end for line in self._lines.items() for end in line]
        for end in ends:
            _shut_down(end, socket.SHUT_RDWR)

    def half_close(self, *, towards_client: bool) -> None:
        """Tell one side of every line that the other has nothing more to say."""
        with self._lock:
            ends = list(self._lines if towards_client else self._lines.values())
        for end in ends:
            _shut_down(end, socket.SHUT_WR)

    def slow(self, seconds: float) -> None:
        """Let each piece of data take that much longer; 0 ends it."""
        self._delay = seconds

    def silence(self) -> None:
        """Lose everything that is sent from now on, without a word to either side."""
        self._silent = True

    def end_silence(self) -> None:
        """End the lines on which data was lost; new ones are whole."""
        self.cut()
        self._silent = False

    def close(self) -> None:
        """Shut it for good."""
        # Closing alone would leave the thread waiting, and the port taken.
        _shut_down(self._listener, socket.SHUT_RDWR)
        self._listener.close()
        self.shut()

    def _admit(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._lay, args=(inner,), daemon=True).start()

    def _lay(self, inner: socket.socket) -> None:
        """Make a line to the server for one client, and carry what goes both ways until it ends."""
        with inner:
            server = self._server
            if server is None:
                return
            try:
                outer = socket.create_connection(server)
            except OSError:
                return
            with outer:
                with self._lock:
                    self._lines[inner] = outer
                if self._server is None:
                    self.cut()
                back = threading.Thread(target=self._pump, args=(outer, inner), daemon=True)
                back.start()
                self._pump(inner, outer)
                back.join()
                with self._lock:
                    del self._lines[inner]

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                time.sleep(self._delay)
                if self._silent:
                    self.lost += len(data)
                else:
                    sink.sendall(data)
        for end in (source, sink):
            _shut_down(end, socket.SHUT_RDWR)


def _shut_down(end: socket.socket, how: int) -> None:
    with suppress(OSError):
        end.shutdown(how)
