"""A `baton dev` of the demo's own: started on a free port with a fresh data folder, stopped when the demo ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.rest import Conductor, DemoFailed

ROOT = Path(__file__).parent.parent

#: Seconds until the server must answer; a cold start on a slow disk imports for several seconds.
START_SECONDS = 60

#: Seconds that the server may take to finish what it is doing when told to stop.
STOP_SECONDS = 15


class DevServer(AbstractContextManager["DevServer"]):
    """`baton dev` with the shipped definitions and the demo's tasks, up while the ``with`` block runs.

    Everything that it keeps goes to ``scratch``; ``url`` is its address. Entering raises ``DemoFailed`` when it does
    not come up, with the end of its log.
    """

    def __init__(self, scratch: Path) -> None:
        self._data = scratch / "data"
        self._log = scratch / "server.log"
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        command = Path(sys.executable).with_name("baton")
        if not command.exists():
            raise DemoFailed(f"there is no command {command}: run `make install` first")
        arguments = ["--port", str(self._port), "--data", str(self._data), "--definitions", str(ROOT / "definitions")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own command, from our own environment
                [str(command), "dev", *arguments, "--app", "demo.app:app"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_healthy()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of what the server printed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def check_running(self) -> None:
        """Raise ``DemoFailed`` when the server has ended by itself."""
        code = self._process.poll()
        if code is not None:
            raise DemoFailed(f"`baton dev` ended with exit code {code}; the end of its log:\n{self.log_tail()}")

    def _wait_until_healthy(self) -> None:
        conductor = Conductor(self.url)
        deadline = time.monotonic() + START_SECONDS
        try:
            while not conductor.healthy():
                self.check_running()
                if time.monotonic() > deadline:
                    raise DemoFailed(
                        f"`baton dev` did not answer within {START_SECONDS} s; its log:\n{self.log_tail()}"
                    )
                time.sleep(0.1)
        finally:
            conductor.close()

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
