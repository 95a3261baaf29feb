"""Conductor's REST interface as far as the demo needs it: start, look, complete a task that waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx


class DemoFailed(Exception):
    """The demo cannot go on; the text says what happened and what to do."""


class NotThere(DemoFailed):
    """The server knows no such thing, or does not know it yet."""


class Conductor:
    """A server that speaks Conductor's REST, at ``url``; every failure is a ``DemoFailed`` with the server's words."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def healthy(self) -> bool:
        """Tell whether the server answers and says it is well."""
        try:
            return self._http.get("/health", timeout=2).is_success
        except httpx.TransportError:
            return False

    def start(self, request: Mapping[str, Any]) -> str:
        """Start a workflow from a StartWorkflowRequest and return the id of its run."""
        return self._call("POST", "/api/workflow", json=request).text.strip().strip('"')

    def run(self, workflow_id: str) -> dict[str, Any]:
        """Return the run with all its tasks."""
        run: dict[str, Any] = self._call("GET", f"/api/workflow/{workflow_id}", params={"includeTasks": True}).json()
        return run

    def complete(self, workflow_id: str, reference: str, output: Mapping[str, Any]) -> None:
        """Complete the open task of that reference name with ``output``."""
        self._call("POST", f"/api/tasks/{workflow_id}/{reference}/COMPLETED", json=output)

    def _call(self, method: str, path: str, **parts: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **parts)
        except httpx.TransportError as error:
            raise DemoFailed(f"the server does not answer ({method} {path}: {error})") from error
        if answer.is_error:
            kind = NotThere if answer.status_code == httpx.codes.NOT_FOUND else DemoFailed
            raise kind(f"the server refused {method} {path} with {answer.status_code}: {answer.text[:1000]}")
        return answer
