"""Notices that wait for their sinks, over HTTP: shown without passwords, sent at once, dropped."""

from __future__ import annotations

import pytest

from engine.clock import after
from engine.store.notice_port import HeldNotice
from tests.unit.api.conftest import FixedClock

NOW = FixedClock().now()
SINK = "https://ann:secret@here.example/x"
SHOWN = "https://ann:***@here.example/x"


@pytest.fixture
def held(store):
    notices = [
        HeldNotice(
            id=identity,
            sink=sink,
            topic="workflow.completed.greet",
            document={},
            held_since=NOW,
            due_at=after(NOW, 100),
            attempts=3,
            reason="it answered 503",
        )
        for identity, sink in (("a", SINK), ("b", SINK), ("c", "amqp_queue:there"))
    ]
    with store.transaction() as tx:
        tx.hold_notices(notices)


def due(store):
    with store.transaction() as tx:
        return sorted(each.id for each in tx.due_notices(NOW, 60, 10))


def test_what_waits_is_listed_by_sink_and_by_age(client, held):
    listed = client.get("/api/admin/notices").json()
    assert listed["totalHits"] == 3
    assert listed["sinks"] == [{"sink": "amqp_queue:there", "waiting": 1}, {"sink": SHOWN, "waiting": 2}]
    assert listed["results"][0]["reason"] == "it answered 503"
    assert "secret" not in str(listed)


@pytest.mark.parametrize("named", [SINK, SHOWN])
def test_what_waits_for_a_sink_is_sent_at_once(client, store, held, named):
    assert client.post("/api/admin/notices/send", json={"sink": named}).json() == {"sent": 2}
    assert due(store) == ["a", "b"]


def test_what_waits_for_a_sink_is_dropped(client, held):
    assert client.post("/api/admin/notices/drop", json={"sink": SHOWN}).json() == {"dropped": 2}
    assert client.get("/api/admin/notices").json()["sinks"] == [{"sink": "amqp_queue:there", "waiting": 1}]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [({}, 400, "sink is missing"), ({"sink": "https://elsewhere"}, 404, "No notice waits for 'https://elsewhere'")],
)
def test_a_sink_must_be_named_and_waited_for(client, held, body, status, told):
    answer = client.post("/api/admin/notices/drop", json=body)
    assert (answer.status_code, told in answer.json()["message"]) == (status, True)
