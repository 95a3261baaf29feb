"""Runs are taken up anew from the terminal, and what they have been is shown."""

import json

import pytest

PAIR = {
    "name": "pair",
    "version": 1,
    "tasks": [
        {"name": "rest", "taskReferenceName": "rest", "type": "HUMAN"},
        {"name": "then", "taskReferenceName": "then", "type": "HUMAN"},
    ],
}


@pytest.fixture
def identity(connected, tmp_path):
    (tmp_path / "pair.json").write_text(json.dumps(PAIR))
    assert connected("definition", "apply", tmp_path).code == 0
    return connected("workflow", "start", "pair").out.strip()


def shown(connected, identity):
    run = connected("workflow", "show", identity, "-o", "json").json
    return run["status"], [(task["referenceTaskName"], task["inputData"]) for task in run["tasks"]]


def test_a_run_is_restarted_and_done_over(connected, identity):
    assert connected("workflow", "restart", identity).code == 4
    connected("workflow", "signal", identity)
    connected("workflow", "terminate", identity)
    assert connected("workflow", "restart", identity, "--latest").out == f"{identity} begins anew\n"
    assert shown(connected, identity) == ("RUNNING", [("rest", {})])
    connected("workflow", "signal", identity)
    connected("workflow", "signal", identity)
    again = ("workflow", "rerun", identity, "--task", f"{identity}.4", "--task-input", '{"a": 1}')
    assert connected(*again).out == f"{identity} is running again\n"
    assert shown(connected, identity) == ("RUNNING", [("rest", {}), ("then", {"a": 1})])
    assert connected("workflow", "rerun", identity, "--input", "{}", "-o", "json").code == 4


def test_a_step_is_skipped(connected, identity):
    assert connected("workflow", "skip", identity, "then", "--data", '{"a": 1}').out == f"{identity} will skip then\n"
    assert connected("workflow", "skip", identity, "nope").code == 3
    connected("workflow", "signal", identity)
    run = connected("workflow", "show", identity, "-o", "json").json
    assert (run["status"], run["tasks"][1]["status"], run["output"]) == ("COMPLETED", "SKIPPED", {"a": 1})


def test_what_a_run_has_been_is_shown(connected, identity):
    assert "never done over" in connected("workflow", "history", identity).out
    connected("workflow", "terminate", identity)
    connected("workflow", "restart", identity)
    told = connected("workflow", "history", identity).out
    assert "it was TERMINATED" in told
    assert "restart" in told
    both = connected("workflow", "history", identity, "-o", "json").json
    assert [each["status"] for each in both["rounds"]] == ["TERMINATED"]
    assert [each["request"] for each in both["requests"]] == ["terminate", "restart"]
    assert connected("workflow", "history", "nope").code == 3


def test_a_run_is_removed_and_still_shown_or_gone(connected, identity):
    assert connected("workflow", "decide", identity).code == 0
    assert connected("workflow", "remove", identity, "--yes").code == 2
    assert connected("workflow", "show", identity, "-o", "json").json["status"] == "RUNNING"
    connected("workflow", "terminate", identity)
    assert connected("workflow", "remove", identity, "--yes").code == 0
    assert connected("workflow", "show", identity, "-o", "json").json["archived"] is True
    other = connected("workflow", "start", "pair").out.strip()
    assert connected("workflow", "remove", other, "--no-archive", "--yes").code == 0
    assert connected("workflow", "show", other).code == 3


def test_a_run_jumps_and_goes_by_another_version(connected, identity, tmp_path):
    later = {**PAIR, "version": 2, "tasks": [*PAIR["tasks"], {**PAIR["tasks"][0], "taskReferenceName": "last"}]}
    (tmp_path / "later.json").write_text(json.dumps(later))
    connected("definition", "apply", tmp_path / "later.json")
    assert connected("workflow", "jump", identity, "last").code == 3
    assert connected("workflow", "upgrade", identity, "--version", "2").code == 0
    assert connected("workflow", "jump", identity, "last", "--input", '{"x": 1}').out == f"{identity} goes on at last\n"
    assert shown(connected, identity) == ("RUNNING", [("last", {"x": 1})])
    assert connected("workflow", "upgrade", identity, "--version", "9").code == 3
