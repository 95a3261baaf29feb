"""Runs a Redis of our own from the installed program: a free port, a password, a scratch directory."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from deploy import process
from deploy.endpoint import ServerMissing, Unusable, free_ports, kept_password
from deploy.probe import redis_version

#: Seconds until a server that was started must answer, and until one that was told to stop must be gone.
START_SECONDS = 30
STOP_SECONDS = 30

#: A broker's messages must survive a restart: what was written is in the file before a command is answered for good.
SETTINGS = {
    "bind": "127.0.0.1",
    "databases": "64",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": '""',
    "maxmemory-policy": "noeviction",
}


def program() -> Path | None:
    """Return the path of ``redis-server``, or None."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


class PrivateRedis:
    """One Redis in ``directory``; what was stored there before is there again after a restart."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def start(self) -> str:
        """Start the server and return its URL, without a database's number.

        Raises:
            ServerMissing: it is not installed, or does not start; the text carries its own words.
        """
        path = program()
        if path is None:
            raise ServerMissing("Redis is not installed: redis-server was not found.")
        self.directory.mkdir(parents=True, exist_ok=True)
        port, password = free_ports(1)[0], kept_password(self.directory)
        config = self.directory / "redis.conf"
        config.touch(0o600)
        settings = {**SETTINGS, "port": port, "requirepass": password, "dir": f'"{self.directory}"'}
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        server = process.start("redis", [str(path), str(config)], os.environ, self.directory, cwd=self.directory)
        url = f"redis://:{password}@127.0.0.1:{port}"
        self._wait(server, url)
        return url

    def stop(self) -> None:
        """Stop the server, if it runs, after it has written everything down."""
        process.end(process.noted(self.directory), self.directory, STOP_SECONDS)

    def _wait(self, server: process.Process, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        why = "it did not answer"
        while time.monotonic() < deadline and server.alive():
            try:
                redis_version(url)
            except Unusable as error:
                why = str(error)
                time.sleep(0.05)
            else:
                return
        words = process.last_words("redis", self.directory)
        self.stop()
        raise ServerMissing(f"Redis did not start within {START_SECONDS} s ({why}):\n{words}")
