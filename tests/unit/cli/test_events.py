"""``baton event``: handlers from files, listed and forgotten; what they have done."""

import json

import pytest

from engine.clock import Instant
from engine.store.event_port import FAILED, EventExecution

START = {"action": "start_workflow", "start_workflow": {"name": "ship"}}


@pytest.fixture
def file(tmp_path):
    def write(name, *handlers):
        path = tmp_path / name
        path.write_text(json.dumps(handlers[0] if len(handlers) == 1 else handlers))
        return path

    return write


def handler(name, **changes):
    return {"name": name, "event": "amqp_queue:orders", "actions": [START], "active": True, **changes}


def test_handlers_are_saved_from_files_and_saved_again(connected, file):
    assert "no event handlers yet" in connected("event", "list").out
    saved = connected("event", "save", file("a.json", handler("one")), file("b.json", handler("two"), handler("three")))
    assert (saved.code, saved.out.count("is saved.")) == (0, 3)
    asleep = connected("event", "save", file("a.json", handler("one", active=False)))
    assert 'set "active" to true' in asleep.out
    listed = connected("event", "list").out
    assert all(name in listed for name in ("one", "two", "three", "amqp_queue:orders", "start_workflow"))
    assert connected("event", "show", "one").json["active"] is False
    assert [each["name"] for each in connected("event", "list", "-o", "json").json] == ["one", "three", "two"]


def test_a_handler_is_deleted(connected, file):
    connected("event", "save", file("a.json", handler("one")))
    assert connected("event", "delete", "one").code == 0
    gone = connected("event", "delete", "one")
    assert gone.code != 0
    assert "baton event list" in gone.err


def test_what_is_wrong_with_a_file_is_told(connected, file, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    assert "not JSON" in connected("event", "save", tmp_path / "broken.json").err
    assert "no event handler" in connected("event", "save", file("c.json", 5)).err
    assert (
        "actions[0].action" in connected("event", "save", file("d.json", handler("d", actions=[{"action": "x"}]))).err
    )


def test_executions_are_listed_with_what_came_of_them(connected, store):
    assert "has done anything yet" in connected("event", "executions").out
    execution = EventExecution(
        key="k",
        handler="on-order",
        event="amqp_queue:orders",
        message_id="m-1",
        index=0,
        action="start_workflow",
        status=FAILED,
        output={"error": "No such workflow"},
        at=Instant(5_000_000),
    )
    with store.transaction() as tx:
        tx.record_event_executions([execution])
    shown = connected("event", "executions", "--status", "failed").out
    assert all(word in shown for word in ("on-order", "m-1", "FAILED", "No such workflow"))
    assert connected("event", "executions", "--handler", "other", "-o", "json").json == []
