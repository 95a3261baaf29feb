"""The calls that workers make for every task pass the framework by, and nobody can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from httpx import Response
from starlette.types import Receive, Scope, Send

from engine.api.worker_calls import WorkerCalls
from engine.api.worker_lane import WorkerLane

from .conftest import Site

_BATCH = "/api/tasks/poll/batch/"

#: What a call needs to go the long way although nothing is wrong with it.
_LONG = {"GET": "count=0000000001", "POST": "anything=1"}

_BODIES: dict[str, dict[str, Any]] = {
    "no JSON": {"content": b"{", "headers": {"content-type": "application/json"}},
    "a text": {"content": b"done", "headers": {"content-type": "text/plain"}},
    "nothing": {},
    "a list": {"json": []},
    "no task": {"json": {"status": "COMPLETED"}},
    "another run's task": {"json": {"taskId": "a.1", "workflowInstanceId": "b", "status": "COMPLETED"}},
    "an impossible run": {"json": {"taskId": "-/-.1", "workflowInstanceId": "-/-", "status": "COMPLETED"}},
    "an unknown run": {"json": {"taskId": "nobody.1", "workflowInstanceId": "nobody", "status": "COMPLETED"}},
    "too deep": {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}},
}


@pytest.mark.parametrize("body", _BODIES)
@pytest.mark.parametrize("path", ["/api/tasks", "/api/tasks/update-v2"])
def test_a_senseless_report_is_answered_the_same_both_ways(site: Site, path: str, body: str) -> None:
    short = site.client.post(path, **_BODIES[body])
    assert 400 <= short.status_code < 500
    assert _said(short) == _said(site.client.post(f"{path}?{_LONG['POST']}", **_BODIES[body]))


@pytest.mark.parametrize("rest", ["baton.start", "x" * 300, "a?timeout=5001", "%20", "ü"])
def test_a_poll_is_answered_the_same_both_ways(site: Site, rest: str) -> None:
    more = ("&" if "?" in rest else "?") + _LONG["GET"]
    assert _said(site.client.get(_BATCH + rest)) == _said(site.client.get(_BATCH + rest + more))


@pytest.mark.parametrize("way", ["", "/update-v2", f"?{_LONG['POST']}"])
def test_the_audit_trail_has_who_reported(site: Site, way: str) -> None:
    site.start()
    (task,) = site.poll(wait_ms=5000)
    site.client.headers["X-Forwarded-User"] = "ada"
    try:
        assert site.report(task, way=way).is_success
    finally:
        del site.client.headers["X-Forwarded-User"]
    with site.store.transaction() as transaction:
        lines = transaction.requests(task["workflowInstanceId"])
    assert [(line.request.verb, line.request.by) for line in lines] == [("update_task", "ada")]


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", _BATCH + "a", "count=many"),
        ("GET", _BATCH + "a", "count="),
        ("GET", _BATCH + "a", "count=1_0"),
        ("GET", _BATCH + "a", "timeout=1e2"),
        ("GET", _BATCH + "a", "count=1&workerid=%00"),
        ("GET", _BATCH + "a\0", ""),
        ("GET", _BATCH + "a/b", ""),
        ("GET", _BATCH, ""),
        ("PUT", _BATCH + "a", ""),
        ("POST", "/api/tasks/update-v2", "a=b"),
        ("POST", "/api/tasks/update-v2/", ""),
        ("GET", "/api/tasks", ""),
    ],
)
def test_what_is_odd_goes_the_long_way(method: str, path: str, query: str) -> None:
    gone: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        gone.append(scope)

    async def nothing(*_: object) -> Any:
        raise AssertionError("it went the short way")

    scope: Mapping[str, Any] = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
    asyncio.run(WorkerLane(app, _Untouched())({**scope, "headers": []}, nothing, nothing))
    assert len(gone) == 1


class _Untouched(WorkerCalls):
    def __init__(self) -> None:
        return


def _said(answer: Response) -> tuple[int, str | None, Any]:
    return answer.status_code, answer.headers.get("content-type"), answer.content
