"""A server and a decider on memory, shared by the tests of a module: requests wait in one thread, and another acts."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import structlog

from engine import log
from engine.api.app import create_app
from engine.api.news import News
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.clock import SystemClock
from engine.config import Settings
from engine.decider.validate import check_workflow
from engine.services.decider import RoadService
from engine.services.opening import partitions_of
from engine.services.server import listen, serve
from engine.services.stopping import Stop
from engine.testing.memory_store import MemoryStore

#: Seconds that a request waits for what is sure to come: only a failing test takes that long.
LONG = 60


def step(ref: str, kind: str = "SIMPLE", **fields: Any) -> dict[str, Any]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


class Doors:
    """Two servers on one store and broker, a decider beside them, and somebody who calls."""

    def __init__(self, port: int, *, waiting_limit: int = 1_000) -> None:
        self.store = MemoryStore()
        self.hub = MemoryBroker()
        self.settings = Settings(partitions=2, http_port=port)
        self.news = News(self.hub.connect, limit=waiting_limit, back_off_seconds=0.01)
        self._decider_stop, self._server_stop = Stop(), Stop()
        self._threads = ThreadPoolExecutor(20)
        self._ready = threading.Event()
        self.url = f"http://127.0.0.1:{port}/api"
        self.http = httpx.Client(base_url=self.url, timeout=LONG + 30)

    def open(self) -> None:
        road = RoadService(
            self.store, self.hub.connect(), self.settings, self._decider_stop, clock=SystemClock(), starter=False
        )
        requester = Requester(
            self.hub.connect, partitions_of(self.store, self.settings), timeout_seconds=LONG, back_off_seconds=0.01
        )
        app = create_app(self.store, requester, news=self.news)
        listener = listen(self.settings)
        self.decider = self._threads.submit(road.run)
        self.serving = self._threads.submit(
            serve, app, listener, self.settings, self._server_stop, self._ready.set, leaving=self.news.end
        )
        assert self._ready.wait(LONG)

    def close(self) -> None:
        self.http.close()
        self.end_server()
        self._decider_stop.now()
        self._threads.shutdown()

    def end_server(self) -> None:
        self._server_stop.now()
        self.serving.result(LONG)

    def later(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Future[Any]:
        """Call something in a thread of its own."""
        return self._threads.submit(call, *arguments, **named)

    def registered(self, *tasks: Mapping[str, Any], **fields: Any) -> str:
        """Register a workflow of these tasks under a fresh name."""
        name = f"w{uuid.uuid4().hex}"
        with self.store.transaction() as transaction:
            transaction.register_workflow(
                check_workflow({"name": name, "tasks": list(tasks), **fields}), overwrite=True
            )
        return name

    def start(self, name: str, **given: Any) -> str:
        return self.http.post("/workflow", json={"name": name, **given}).text

    def execute(self, name: str, given: Mapping[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        query = {"waitForSeconds": LONG, **query}
        answer = self.http.post(f"/workflow/execute/{name}/0", json=given or {}, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def report(self, run: str, ref: str, status: str = "COMPLETED", **output: Any) -> None:
        assert self.http.post(f"/tasks/{run}/{ref}/{status}", json=output).status_code == 200

    def run(self, run: str) -> dict[str, Any]:
        return self.http.get(f"/workflow/{run}").json()

    def until(self, happened: Callable[[], Any]) -> Any:
        """Return what something comes to, asked in a row until it comes to anything."""
        while not (found := happened()):
            threading.Event().wait(0.005)
        return found

    def run_of(self, name: str) -> str:
        """Return the id of the one run of a workflow, once it is there."""

        def found() -> Any:
            return self.http.get("/workflow/search", params={"query": f"workflowType={name}"}).json()["results"]

        return self.until(found)[0]["workflowId"]


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    log.configure("error", "text")
    yield
    structlog.reset_defaults()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    doors = Doors(free_port())
    doors.open()
    yield doors
    doors.close()


@pytest.fixture
def open_doors() -> Iterator[Callable[..., Doors]]:
    """Open doors for one test only."""
    opened: list[Doors] = []

    def open_doors(**options: Any) -> Doors:
        opened.append(Doors(free_port(), **options))
        opened[-1].open()
        return opened[-1]

    yield open_doors
    for doors in opened:
        doors.close()
