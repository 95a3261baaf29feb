"""Dead letters over HTTP: listed, read, and sent back where they came from."""

import pytest

from engine.clock import Instant
from engine.wire.dead_letter import bury
from engine.wire.message import DEAD_QUEUE, START_QUEUE, Delivery, Message


@pytest.fixture
def letters(hub):
    connection = hub.connect()
    originals = [Message(queue=START_QUEUE, body=body, message_id=f"m{n}") for n, body in enumerate((b"{", b"x" * 999))]
    dead = [bury(Delivery(message=each, queue=START_QUEUE), "it is not JSON", Instant(5_000)) for each in originals]
    connection.publish([*dead, Message(queue=DEAD_QUEUE, body=b"from a stranger", message_id="odd")])
    return connection


def test_letters_are_listed_with_their_reasons(client, letters):
    body = client.get("/api/admin/dead").json()

    assert body["totalHits"] == 3
    assert [(each["id"], each["from"], each["reason"]) for each in body["results"]] == [
        ("m0", START_QUEUE, "it is not JSON"),
        ("m1", START_QUEUE, "it is not JSON"),
        ("odd", "", "no reason is given"),
    ]


def test_one_letter_is_shown_whole(client, letters):
    assert client.get("/api/admin/dead/m1").json()["body"] == "x" * 999


def test_a_requeued_letter_leaves_for_where_it_came_from(client, letters):
    response = client.post("/api/admin/dead/m0/requeue")

    assert response.json() == {"id": "m0", "queue": START_QUEUE}
    assert letters.ready(DEAD_QUEUE) == 2
    (back,) = letters.peek(START_QUEUE, 10)
    assert (back.message.body, back.message.headers, back.message.message_id) == (b"{", {}, "m0")


def test_a_letter_without_an_origin_stays(client, letters):
    response = client.post("/api/admin/dead/odd/requeue")

    assert response.status_code == 400
    assert letters.ready(DEAD_QUEUE) == 3


def test_an_unknown_letter_is_a_404(client, letters):
    assert client.get("/api/admin/dead/no").status_code == 404
    assert client.post("/api/admin/dead/no/requeue").status_code == 404
    assert letters.ready(DEAD_QUEUE) == 3
