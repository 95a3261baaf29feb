"""A server that speaks Conductor's REST, with workers that poll it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.comparison.author import INPUT, NEVER, SECOND, TERMINAL, WORK, children

_WORKERS = 2
_OPEN = ("RUNNING", "PAUSED")


class Server:
    """One of the two; ``prefix`` begins the names of all that is defined there."""

    def __init__(self, url: str, prefix: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60)
        self._prefix = prefix

    def prepare(self) -> None:
        """Define the worker's task and the children."""
        work = {"name": self._prefix + WORK, "retryCount": 1, "retryDelaySeconds": 0, "responseTimeoutSeconds": 600}
        owner = {"ownerEmail": "comparison@example.com", "timeoutSeconds": 0}
        self._http.post("/api/metadata/taskdefs", json=[{**work, **owner}]).raise_for_status()
        for child in children(self._prefix):
            self._http.post("/api/metadata/workflow", json=child).raise_for_status()

    def run(self, definition: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Define a workflow, run it to its end and return the run; after so many seconds as far as it has come."""
        self._http.post("/api/metadata/workflow", json=definition).raise_for_status()
        start = {"name": definition["name"], "version": 1, "input": INPUT}
        run_id = self._http.post("/api/workflow", json=start).raise_for_status().text.strip('"')
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self._http.get(f"/api/workflow/{run_id}").raise_for_status().json()
            if found["status"] not in _OPEN or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have workers carry out what their tasks say."""
        over = threading.Event()
        workers = [threading.Thread(target=self._work, args=(over,)) for _ in range(_WORKERS)]
        for worker in workers:
            worker.start()
        yield
        over.set()
        for worker in workers:
            worker.join()

    def _work(self, over: threading.Event) -> None:
        while not over.is_set():
            path = f"/api/tasks/poll/batch/{self._prefix}{WORK}"
            polled = self._http.get(path, params={"count": 20, "timeout": 200, "workerid": "comparison"})
            for task in polled.json() or []:
                self._http.post("/api/tasks", json=_result(task)).raise_for_status()


def _result(task: dict[str, Any]) -> dict[str, Any]:
    given, attempt = task["inputData"], task["retryCount"]
    output = {"r": {"q": task["referenceTaskName"], "attempt": attempt}, "x": given.get("x")}
    result = {"taskId": task["taskId"], "workflowInstanceId": task["workflowInstanceId"], "outputData": output}
    match given["how"]:
        case how if how == NEVER or (how == SECOND and attempt == 0):
            return {**result, "status": "FAILED", "reasonForIncompletion": "as planned"}
        case how if how == TERMINAL:
            return {**result, "status": "FAILED_WITH_TERMINAL_ERROR", "reasonForIncompletion": "for good"}
        case _:
            return {**result, "status": "COMPLETED"}
