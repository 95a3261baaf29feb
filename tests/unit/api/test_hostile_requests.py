"""Requests made to harm: each gets an answer at once, without a word about the inside."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from engine.errors import BadMessage
from engine.search.grammar import read_query
from engine.search.subject import RUNS

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/workflow", b"[" * 500_000),
        ("/api/workflow", b'{"name": ' + b"1" * 100_000 + b"}"),
        ("/api/workflow", b'{"name": "x", "input": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}"),
        ("/api/workflow", b'{"name": "x", "input": {"a": NaN}}'),
        ("/api/workflow", b'{"name": "x", "input": {"a": "\\ud800"}}'),
        ("/api/metadata/workflow", b'{"name": "w", "tasks": [' + b"0," * 500_000 + b"0]}"),
        ("/api/metadata/taskdefs", b"[" + b'{"name": "a"},' * 5_000 + b"{}]"),
        ("/api/tasks", b'{"taskId": "w.' + b"9" * 100_000 + b'", "workflowInstanceId": "w", "status": "COMPLETED"}'),
    ],
)
def test_a_hostile_body_is_refused_at_once(client, path, body):
    began = time.process_time()

    response = client.post(path, content=body, headers=JSON)

    assert response.status_code == 400
    assert len(response.content) < 200_000
    assert time.process_time() - began < 3


def test_a_list_of_definitions_has_an_end(client):
    response = client.put("/api/metadata/workflow", content=json.dumps([0] * 100_000), headers=JSON)

    assert response.status_code == 400
    assert "at most 1,000" in response.json()["message"]


def test_a_body_that_comes_in_pieces_has_the_same_limit(client):
    def pieces() -> Iterator[bytes]:
        for _ in range(400):
            yield b"x" * 65_536

    assert client.post("/api/workflow", content=pieces(), headers=JSON).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/api/workflow/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/workflow/%ff%fe",
        "/api/workflow/a%00b",
        "/api/workflow/" + "x" * 10_000,
        "/api/tasks/w." + "9" * 5_000,
        "/api/metadata/workflow/x?version=" + "9" * 5_000,
        "/api/metadata/workflow/x?version=1e400",
        "/api/workflow/search?start=99999999999999999999999",
        "/api/workflow/search?size=0",
        "/api/workflow/search?size=5001",
        "/api/workflow/search?query=workflowType%20=%20'%20OR%201=1%20--",
        "/api/workflow/search?query=status%20IN%20(FAILED');%20DROP%20TABLE%20workflow;--)",
        "/api/workflow/search?freeText=';--",
    ],
)
def test_a_hostile_address_is_answered_like_any_other(client, path):
    response = client.get(path)

    assert response.status_code in (200, 400, 404)
    assert "Traceback" not in response.text
    assert "engine/" not in response.text


def test_pages_of_strangers_get_no_leave_to_read_answers(client):
    response = client.get("/api/version", headers={"Origin": "http://stranger.example"})

    assert not [name for name in response.headers if name.startswith("access-control")]
    assert client.post("/api/workflow", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(
    "query",
    [
        "status = x" + " " * 9_900 + "y",
        " " * 9_999,
        "a" * 9_999,
        "a AND " * 1_600,
        "status IN (" + "FAILED," * 1_400 + ")",
        "correlationId = " + "'" * 9_900,
        "x" * 1_000_000,
    ],
)
def test_no_query_takes_long(query):
    began = time.process_time()
    try:
        read_query(query, RUNS)
    except BadMessage as refusal:
        assert len(str(refusal)) < 30_000
    assert time.process_time() - began < 0.5
