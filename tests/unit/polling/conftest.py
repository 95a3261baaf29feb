"""A server and a decider on the in-memory store and broker: what a worker that polls sees, in milliseconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from fastapi import FastAPI
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

_Site = TypeVar("_Site", bound="Site")


class Site:
    """Workflows of a single task each, and everybody who carries them; ``kind`` is the name of the last one's task."""

    def __init__(self) -> None:
        self.hub = MemoryBroker()
        self.store = MemoryStore()
        self.distributor = self.distribute()
        requester = Requester(self.hub.connect, PARTITIONS, timeout_seconds=10.0, back_off_seconds=0.01)
        self.app = self.serve(requester)
        self.client: TestClient
        self._hands = ThreadPoolExecutor(8)
        self._stop: Stop | None = None
        self._decider: threading.Thread | None = None
        self.road: RoadService | None = None
        self.kind = ""
        self._kinds = 0
        self.define()

    def distribute(self) -> Distributor:
        """Return what hands out the tasks."""
        return Distributor(self.hub.connect, PARTITIONS, patience_seconds=0.2, back_off_seconds=0.01)

    def serve(self, requester: Requester) -> FastAPI:
        """Return the application."""
        return create_app(self.store, requester, distributor=self.distributor)

    def define(self, steps: int = 1) -> None:
        """Define another workflow, whose task is of a kind of its own; with ``steps`` it has several of them."""
        self._kinds += 1
        self.kind = f"a{self._kinds}"
        step = {"name": self.kind, "type": "SIMPLE", "inputParameters": {"who": "${workflow.input.who}"}}
        tasks = [{**step, "taskReferenceName": "a" if number == 0 else f"a{number}"} for number in range(steps)]
        with self.store.transaction() as transaction:
            transaction.register_tasks([check_task({"name": self.kind, "retryCount": 0})])
            definition = check_workflow({"name": self.workflow, "tasks": tasks})
            transaction.register_workflow(definition, overwrite=True)

    @property
    def workflow(self) -> str:
        """The name of the last workflow that was defined."""
        return f"only_{self.kind}"

    def begin_deciding(self) -> None:
        self._stop = Stop()
        settings = Settings(partitions=PARTITIONS)
        self.road = RoadService(
            self.store, self.hub.connect(), settings, self._stop, clock=SystemClock(), starter=False
        )
        self._decider = threading.Thread(target=self.road.run)
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
        return f"{self.client.post('/api/workflow', json={'name': self.workflow, **fields}).text}.1"

    def start_when_possible(self) -> str:
        """Start a run as soon as the server can, and return the id of its task."""
        while (answer := self.client.post("/api/workflow", json={"name": self.workflow})).status_code == 503:
            pass
        return f"{answer.text}.1"

    def poll_when_possible(self) -> list[dict[str, Any]]:
        """Wait for a task as soon as the server can."""
        while (
            answer := self.client.get(f"/api/tasks/poll/batch/{self.kind}", params={"timeout": 5000})
        ).status_code == 503:
            pass
        found: list[dict[str, Any]] = answer.json()
        return found

    def poll(self, count: int = 1, wait_ms: int = 0, **more: Any) -> list[dict[str, Any]]:
        query = {"count": count, "timeout": wait_ms, "workerid": "w1", **more}
        answer = self.client.get(f"/api/tasks/poll/batch/{self.kind}", params=query)
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


@contextmanager
def opened(site: _Site) -> Iterator[_Site]:
    """Give a server with a decider."""
    try:
        with TestClient(site.app, raise_server_exceptions=False) as client:
            site.client = client
            site.begin_deciding()
            yield site
    finally:
        site.close()


@pytest.fixture(scope="module")
def shared_site() -> Iterator[Site]:
    with opened(Site()) as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    """Return a site with a kind of task that no other test has."""
    shared_site.define()
    return shared_site


@pytest.fixture
def own_site() -> Iterator[Site]:
    """Return a site in which a test may break things."""
    with opened(Site()) as site:
        yield site
