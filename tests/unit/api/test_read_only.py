"""A server that only shows: of all its calls, those that change something are turned away."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.read_only import shows
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.config import Settings, load
from engine.errors import BadConfiguration
from engine.polling.distributor import Distributor
from engine.testing.memory_store import MemoryStore

#: Calls that change nothing although their method says otherwise, and the other way round.
ASKED_BY_POST = {
    "/api/workflow/{name}/correlated",
    "/api/workflow/correlated/batch",
    "/api/workflow/bulk/search",
    "/api/workflow/test",
    "/api/token",
    "/api/metadata/workflow/validate",
    "/api/metadata/taskdefs/validate",
}
CHANGED_BY_GET = {
    "/api/tasks/poll/{task_type}",
    "/api/tasks/poll/batch/{task_type}",
    "/api/scheduler/admin/pause",
    "/api/scheduler/admin/resume",
    "/api/scheduler/admin/requeue",
}


def an_app(**settings: bool) -> FastAPI:
    connect = MemoryBroker().connect
    return create_app(
        MemoryStore(), Requester(connect, 2), distributor=Distributor(connect, 2), settings=Settings(**settings)
    )


def test_every_call_is_known_to_show_or_to_change() -> None:
    told_apart: dict[bool, set[str]] = {True: set(), False: set()}
    for path, methods in an_app().openapi()["paths"].items():
        address = re.sub(r"{[^}]*}", "x", path)
        for method in methods:
            showing = shows(method.upper(), address)
            if showing == (method not in ("get", "head")):
                told_apart[showing].add(path)
    assert told_apart[True] == ASKED_BY_POST
    assert told_apart[False] == CHANGED_BY_GET


def test_what_would_change_something_is_answered_405_with_the_reason() -> None:
    with TestClient(an_app(read_only=True)) as client:
        refused = client.post("/api/workflow", json={"name": "any"})
        assert client.get("/api/metadata/workflow").json() == []
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert "BATON_READ_ONLY" in refused.json()["message"]


def test_such_a_server_does_not_speak_grpc() -> None:
    with pytest.raises(BadConfiguration, match="BATON_GRPC_PORT"):
        load({"BATON_READ_ONLY": "true", "BATON_GRPC_PORT": "8090"})
