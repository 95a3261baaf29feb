"""What a person reads who runs ``baton dev``: a greeting, then only what matters, and everything on request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.endpoint import free_ports

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0


class Reader:
    """A person before a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, **surroundings: str) -> None:
        """Run ``baton dev`` and wait until it answers."""
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("BATON_")}
        with (self.folder / "said").open("wb") as said:
            self._process = subprocess.Popen(
                [Path(sys.executable).parent / "baton", "dev", "--port", str(port), *options],
                cwd=self.folder,
                env={**inherited, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **surroundings},
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + PATIENCE
        while self.url not in self.said():
            assert time.monotonic() < deadline, self.said()
            assert self._process.poll() is None, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        """Return what the terminal shows."""
        return (self.folder / "said").read_text()

    def stop(self) -> int:
        """Press Ctrl-C and return the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Reader]:
    person = Reader(tmp_path)
    yield person
    person.stop()


def test_a_run_from_start_to_stop_leaves_a_greeting_a_farewell_and_nothing_else(person: Reader) -> None:
    person.start()
    # When something happens that needs nobody's attention.
    workflow = {"name": "quiet", "tasks": [{"name": "n", "taskReferenceName": "n", "type": "NOOP"}]}
    assert httpx.post(f"{person.url}/api/metadata/workflow", json=workflow).is_success
    assert httpx.post(f"{person.url}/api/workflow/quiet", json={}).is_success
    assert person.stop() == 0
    first, *_, last = person.said().strip().splitlines()
    assert first == f"Baton is running at {person.url} (Ctrl-C stops it)."
    assert last == "Baton has stopped. The runs are in .baton/dev."
    for noise in ("[info", "Uvicorn", "server process", "engine.", "partitions"):
        assert noise not in person.said()


@pytest.mark.parametrize(("options", "level"), [(["--log-level", "debug"], {}), ([], {"BATON_LOG_LEVEL": "debug"})])
def test_everything_is_told_on_request(person: Reader, options: list[str], level: dict[str, str]) -> None:
    person.start(*options, **level)
    assert person.stop() == 0
    assert "partitions.shared" in person.said()
    assert "Started server process" in person.said()
    assert "Baton is running" in person.said()
