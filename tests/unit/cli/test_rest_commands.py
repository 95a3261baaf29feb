"""Tasks, queues, many runs at once and programs as workers from the terminal; and servers by name."""

import json
import sys

import pytest

PAIR = {
    "name": "pair",
    "version": 1,
    "tasks": [
        {"name": "double", "taskReferenceName": "double", "inputParameters": {"n": "${workflow.input.n}"}},
        {"name": "rest", "taskReferenceName": "rest", "type": "HUMAN"},
    ],
}
TASKS = [{"name": "double", "retryCount": 0, "ownerEmail": "a@b.c"}]

DOUBLE = """
import json, sys
given = json.load(sys.stdin)
if given["n"] is None:
    sys.exit("nothing to double")
print(json.dumps({"twice": 2 * given["n"]}) if given["n"] else "zero")
"""


@pytest.fixture
def defined(connected, tmp_path):
    (tmp_path / "pair.json").write_text(json.dumps(PAIR))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "double.json").write_text(json.dumps(TASKS[0]))
    (tmp_path / "double.py").write_text(DOUBLE)
    for part in ("pair.json", "tasks"):
        assert connected("definition", "apply", tmp_path / part).code == 0
    return connected


def start(baton, given):
    return baton("workflow", "start", "pair", "--input", json.dumps(given)).out.strip()


def test_a_program_carries_tasks(defined, tmp_path):
    runs = {n: start(defined, {"n": n}) for n in (21, 0, None)}

    carried = defined("worker", "stdio", "double", "--limit", "3", "--", sys.executable, tmp_path / "double.py")

    assert carried.code == 0, carried.err
    tasks = {n: defined("task", "show", f"{run}.1").json for n, run in runs.items()}
    assert (tasks[21]["status"], tasks[21]["outputData"]) == ("COMPLETED", {"twice": 42})
    assert tasks[0]["outputData"] == {"result": "zero"}
    assert (tasks[None]["status"], tasks[None]["reasonForIncompletion"]) == ("FAILED", "nothing to double")


def test_a_task_is_found_and_reported_on(defined):
    run = start(defined, {"n": 1})

    assert f"{run}.1" in defined("task", "pending", "double").out
    assert defined("task", "update", f"{run}.1", "--data", '{"a": 1}').out == f"{run}.1 is reported COMPLETED\n"
    assert defined("task", "show", f"{run}.1").json["outputData"] == {"a": 1}
    assert defined("task", "pending", "double").out == "No task double is open.\n"
    assert f"{run}.1" in defined("task", "search", "taskDefName = double AND status = COMPLETED").out
    assert defined("task", "log", f"{run}.1").out == "The log is empty.\n"
    assert defined("task", "update", "nonsense").code == 2
    assert defined("task", "show", f"{run}.9").code == 3


def test_queues_tell_what_waits(defined):
    start(defined, {"n": 1})

    (waiting,) = defined("queue", "list", "-o", "json").json["double"].values()
    assert waiting["size"] == 1
    assert "double" in defined("queue", "list").out
    assert "Nobody has polled" in defined("queue", "polls", "other").out
    assert defined("queue", "requeue", "double").out == "0 tasks of double are sent again.\n"


def test_many_runs_are_steered_at_once(defined, monkeypatch):
    runs = [start(defined, {"n": n}) for n in range(3)]

    paused = defined("bulk", "pause", *runs[:2], "unknown")
    assert (paused.code, paused.out) == (4, "2 of 3 runs: paused.\n")
    assert "unknown: " in paused.err
    assert defined("bulk", "resume", "--query", "status = PAUSED").out == "2 of 2 runs: going on.\n"
    ended = defined("bulk", "terminate", *runs, "--reason", "enough", "-o", "json")
    assert (ended.code, ended.json["bulkSuccessfulResults"]) == (0, runs)
    assert defined("bulk", "pause").code == 2
    assert defined("bulk", "pause", "a", "--query", "b").code == 2


def test_a_server_is_named_before_the_command_or_by_a_profile(baton, server, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("BATON_SERVER_URL", "http://127.0.0.1:1")

    assert baton("workflow", "list").code == 6
    assert baton("--server", server, "workflow", "list").code == 0
    assert baton("profile", "save", "here", server, "--header", "X-Key: secret").code == 0
    assert (tmp_path / "baton" / "profiles.json").stat().st_mode & 0o077 == 0
    assert baton("--profile", "here", "workflow", "list").code == 0
    assert baton("--profile", "here", "workflow", "list", "--server", "http://127.0.0.1:1").code == 6
    assert baton("--profile", "nobody", "workflow", "list").code == 2
    listed = baton("profile", "list", "-o", "json")
    assert listed.json == {"here": {"server": server, "headers": ["X-Key"]}}
    assert baton("profile", "delete", "here").code == 0
    assert baton("profile", "delete", "here").code == 3
