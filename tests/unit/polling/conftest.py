"""A server and a decider on the in-memory store and broker: what a worker that polls sees, in milliseconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.clock import SystemClock
from engine.config import Settings
from engine.decider.validate import check_task, check_workflow
from engine.polling.distributor import Distributor
from engine.services.decider import RoadService
from engine.services.stopping import Stop
from engine.testing.memory_store import MemoryStore

PARTITIONS = 1


class Site:
    """The workflow ``one``, which is a single task ``a``, and everybody who carries it."""

    def __init__(self) -> None:
        self.hub = MemoryBroker()
        self.store = MemoryStore()
        self.distributor = Distributor(self.hub.connect, PARTITIONS, patience_seconds=0.2, back_off_seconds=0.01)
        requester = Requester(self.hub.connect, PARTITIONS, timeout_seconds=10.0, back_off_seconds=0.01)
        self.app = create_app(self.store, requester, distributor=self.distributor)
        self.client: TestClient
        self._hands = ThreadPoolExecutor(8)
        self._stop: Stop | None = None
        self._decider: threading.Thread | None = None
        with self.store.transaction() as transaction:
            transaction.register_tasks([check_task({"name": "a", "retryCount": 0})])
            step = {"name": "a", "taskReferenceName": "a", "inputParameters": {"who": "${workflow.input.who}"}}
            definition = check_workflow({"name": "one", "tasks": [{**step, "type": "SIMPLE"}]})
            transaction.register_workflow(definition, overwrite=True)

    def begin_deciding(self) -> None:
        self._stop = Stop()
        settings = Settings(partitions=PARTITIONS)
        road = RoadService(self.store, self.hub.connect(), settings, self._stop, clock=SystemClock(), starter=False)
        self._decider = threading.Thread(target=road.run)
        self._decider.start()

    def end_deciding(self) -> None:
        if self._stop is not None and self._decider is not None:
            self._stop.now()
            self._decider.join()
            self._stop = None

    def close(self) -> None:
        self._hands.shutdown()
        self.end_deciding()

    def start(self, **fields: Any) -> str:
        """Start a run and return the id of its task."""
        return f"{self.client.post('/api/workflow', json={'name': 'one', **fields}).text}.1"

    def start_when_possible(self) -> str:
        """Start a run as soon as the server can, and return the id of its task."""
        while (answer := self.client.post("/api/workflow", json={"name": "one"})).status_code == 503:
            pass
        return f"{answer.text}.1"

    def poll_when_possible(self) -> list[dict[str, Any]]:
        """Wait for a task as soon as the server can."""
        while (answer := self.client.get("/api/tasks/poll/batch/a", params={"timeout": 5000})).status_code == 503:
            pass
        found: list[dict[str, Any]] = answer.json()
        return found

    def poll(self, count: int = 1, wait_ms: int = 0, **more: Any) -> list[dict[str, Any]]:
        query = {"count": count, "timeout": wait_ms, "workerid": "w1", **more}
        answer = self.client.get("/api/tasks/poll/batch/a", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def meanwhile(self, do: Callable[..., Any], *arguments: Any, **more: Any) -> Future[Any]:
        """Do something in another thread."""
        return self._hands.submit(do, *arguments, **more)

    def report(self, task: dict[str, Any], status: str = "COMPLETED", way: str = "", **fields: Any) -> Response:
        report = {"workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"], "status": status}
        return self.client.post(f"/api/tasks{way}", json={**report, **fields})

    def task(self, task_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/api/tasks/{task_id}").json()
        return found

    def status(self, task_id: str) -> str:
        return str(self.task(task_id)["status"])

    def run_status(self, task_id: str) -> str:
        return str(self.client.get(f"/api/workflow/{task_id.rpartition('.')[0]}").json()["status"])


@pytest.fixture
def idle_site() -> Iterator[Site]:
    """Return a server without a decider."""
    site = Site()
    with TestClient(site.app, raise_server_exceptions=False) as client:
        site.client = client
        yield site
    site.close()


@pytest.fixture
def site(idle_site: Site) -> Site:
    idle_site.begin_deciding()
    return idle_site
