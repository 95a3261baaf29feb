"""A file that a process touches while it goes on, for whoever looks from outside and restarts what hangs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from engine.errors import BadConfiguration
from engine.log import get_logger

log = get_logger(__name__)

#: Seconds between two touches at least: services ask more often than a file system should be bothered.
_PAUSE_SECONDS: Final = 1.0


class AliveFile:
    """Touched at the start of a process, which makes it, and by each turn of its loop, once a second at most.

    A probe compares its age with what a turn may take; a server that is away is no reason to restart a process that
    waits for it, so waiting touches too. Raises ``BadConfiguration`` when the file cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._next = time.monotonic() + _PAUSE_SECONDS
        try:
            self._path.touch()
        except OSError as error:
            raise BadConfiguration([f"BATON_ALIVE_FILE ({path}) cannot be written: {error.strerror}."]) from error

    def touch(self) -> None:
        """Say that the process goes on."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _PAUSE_SECONDS
        try:
            self._path.touch()
        except OSError as error:
            log.warning("alive_file.untouched", path=str(self._path), reason=error.strerror)
