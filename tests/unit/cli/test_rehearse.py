"""``baton workflow rehearse``: a definition in a file, without a server."""

from __future__ import annotations

import json

import pytest

ORDER = {
    "name": "order",
    "tasks": [
        {"name": "price", "taskReferenceName": "price"},
        {"name": "pause", "taskReferenceName": "pause", "type": "WAIT", "inputParameters": {"duration": "30 days"}},
        {"name": "pay", "taskReferenceName": "pay", "inputParameters": {"sum": "${price.output.sum}"}},
    ],
}
PAY = {"name": "pay", "retryCount": 1, "retryDelaySeconds": 60}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "order.json").write_text(json.dumps(ORDER))
    (tmp_path / "pay.json").write_text(json.dumps(PAY))
    return tmp_path


def test_a_run_is_told_as_one_would_see_it(baton, files):
    mocks = {
        "price": {"sum": 3},
        "pay": [{"status": "FAILED", "reasonForIncompletion": "broke"}, {"output": {"ok": 1}}],
    }

    told = baton(
        "workflow", "rehearse", files / "order.json", "--mocks", json.dumps(mocks), "--with", files / "pay.json"
    )

    assert told.code == 0
    for words in ("COMPLETED", "price", "attempt 2", "Simulated time: 720 h 1 min", '"ok": 1'):
        assert words in told.out
    assert told.err == ""


def test_a_missing_mock_is_named_and_the_exit_code_says_so(baton, files):
    told = baton("workflow", "rehearse", files / "order.json", "--mocks", '{"price": {}}')
    as_json = baton("workflow", "rehearse", files / "order.json", "-o", "json")

    assert (told.code, "Stopped: no mock is left for 'pay'" in told.out) == (1, True)
    assert (as_json.json["status"], as_json.json["stopped"]) == ("RUNNING", "no mock is left for 'price'")


def test_a_run_that_fails_exits_as_watching_it_would(baton, files):
    mocks = {"price": [{"status": "FAILED_WITH_TERMINAL_ERROR", "reasonForIncompletion": "no price"}]}

    assert baton("workflow", "rehearse", files / "order.json", "--mocks", json.dumps(mocks)).code == 10


def test_a_workflow_in_python_is_chosen_by_its_name(baton, files):
    (files / "flows.py").write_text(
        "from engine.dsl import noop, workflow\n\n"
        "@workflow()\ndef one():\n    noop('a')\n\n@workflow()\ndef two():\n    one('b')\n"
    )

    assert "one, two" in baton("workflow", "rehearse", files / "flows.py").err
    assert baton("workflow", "rehearse", files / "flows.py", "--name", "two").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["order.json", "--mocks", '{"price": 7}'], "the mock of price"),
        (["order.json", "--mocks", '{"price": [{"status": "LOST"}]}'], "status"),
        (["bad.json"], "timeoutSeconds"),
        (["pay.json"], "none"),
        (["broken.json"], "not JSON"),
    ],
)
def test_mistakes_are_told(baton, files, arguments, words):
    (files / "bad.json").write_text(json.dumps({**ORDER, "timeoutSeconds": "soon"}))
    (files / "broken.json").write_text("{")

    told = baton("workflow", "rehearse", files / arguments[0], *arguments[1:])

    assert told.code == 2
    assert words in told.err
    assert "Traceback" not in told.err
