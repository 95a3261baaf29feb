"""A gate on which lines are not only cut: they are slow, silent, or closed on one side."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from tests.acceptance.gate import Gate


class RoughGate(Gate):
    """A gate whose lines can be disturbed while they are used."""

    def __init__(self, target: str, default_port: int) -> None:
        self._delay = 0.0
        self._silent = False
        super().__init__(target, default_port)

    def passing(self, data: bytes) -> bytes:
        """Hold data back for a while, or lose it."""
        if self._delay:
            time.sleep(self._delay)
        return b"" if self._silent else data

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

    def half_close(self, towards_client: bool) -> None:
        """Tell one side of every line that the other has nothing more to say."""
        with self._lock:
            ends = self._lines[0::2] if towards_client else self._lines[1::2]
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_WR)
