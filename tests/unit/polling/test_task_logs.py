"""Logs of tasks: written with a result or by themselves, read by anybody."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import BadMessage
from engine.wire.task_log import LONGEST_ENTRY, MOST_ENTRIES, read_entry, read_logs

from .conftest import Site


def log_of(site: Site, task_id: str) -> list[str]:
    answer = site.client.get(f"/api/tasks/{task_id}/log")
    return [entry["log"] for entry in answer.json()] if answer.status_code == 200 else []


def test_entries_come_with_results_and_by_themselves(site: Site) -> None:
    task_id = site.start()
    (task,) = site.poll(wait_ms=5000)
    assert site.client.get(f"/api/tasks/{task_id}/log").status_code == 204
    written = site.client.post(f"/api/tasks/{task_id}/log", json="by itself")
    assert (written.status_code, written.content) == (200, b"")
    logs = [{"log": "first", "taskId": task_id}, {"log": "second"}]
    site.report(task, "IN_PROGRESS", callbackAfterSeconds=60, logs=logs)
    site.report(task, way="/update-v2", logs=["third"])
    assert log_of(site, task_id) == ["by itself", "first", "second", "third"]
    (entry, *_) = site.client.get(f"/api/tasks/{task_id}/log").json()
    assert entry["taskId"] == task_id
    assert entry["createdTime"] > 1_700_000_000_000


def test_an_entry_stands_where_its_worker_says_that_it_was_written(site: Site) -> None:
    task_id = site.start()
    (task,) = site.poll(wait_ms=5000)
    site.client.post(f"/api/tasks/{task_id}/log", json="now")
    logs = [
        {"log": "later", "createdTime": 1_600_000_000_002},
        {"log": "earlier", "createdTime": 1_600_000_000_001},
        *({"log": "no moment", "createdTime": odd} for odd in (0, -1, True, "soon", None, 10**30)),
    ]
    assert site.report(task, logs=logs).status_code == 200
    assert log_of(site, task_id) == ["earlier", "later", "now", *["no moment"] * 6]
    times = [entry["createdTime"] for entry in site.client.get(f"/api/tasks/{task_id}/log").json()]
    assert times[:2] == [1_600_000_000_001, 1_600_000_000_002]


@pytest.mark.parametrize(("method", "path"), [("POST", "nobody.1"), ("POST", "no-task"), ("GET", "no-task")])
def test_there_is_no_log_of_a_task_that_is_not_there(site: Site, method: str, path: str) -> None:
    body: Any = {"json": "text"} if method == "POST" else {}
    answer = site.client.request(method, f"/api/tasks/{path}/log", **body)
    assert (answer.status_code, answer.json()["retryable"]) == (404, False)


def test_an_entry_may_be_a_json_string_or_anything_else() -> None:
    assert read_entry(b'"done: \\u00fc"') == "done: ü"
    assert read_entry("done: ü".encode()) == "done: ü"
    assert read_entry(b'{"a": 1}') == '{"a": 1}'
    assert read_entry(b"\xff") == "\ufffd"
    assert len(read_entry(b"x" * (LONGEST_ENTRY + 5))) == LONGEST_ENTRY


@pytest.mark.parametrize("logs", [5, {"log": "x"}, [5], [{"log": 5}], [{}], ["x"] * (MOST_ENTRIES + 1)])
def test_logs_of_a_wrong_shape_are_told_apart(logs: Any) -> None:
    with pytest.raises(BadMessage, match="logs"):
        read_logs({"logs": logs})


def test_a_result_without_logs_has_none() -> None:
    assert read_logs({"logs": None}) == []
    assert read_logs({}) == []


def test_an_entry_may_be_a_text_of_any_kind_but_not_from_a_page_of_another_site(site: Site) -> None:
    task_id = site.start()
    path = f"/api/tasks/{task_id}/log"

    assert site.client.post(path, content=b"plain", headers={"Content-Type": "text/plain"}).status_code == 200
    strange = site.client.post(path, content=b"strange", headers={"Sec-Fetch-Site": "cross-site"})

    assert strange.status_code == 403
    assert log_of(site, task_id) == ["plain"]
