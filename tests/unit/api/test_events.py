"""Event handlers over HTTP: registered, replaced, listed, forgotten; and what they have done."""

import pytest

from engine.clock import Instant
from engine.store.event_port import COMPLETED, FAILED, EventExecution

START = {"action": "start_workflow", "start_workflow": {"name": "ship"}}
EVENT = "amqp_exchange:shop?routingKey=order.#"


def handler(name="on-order", **changes):
    return {"name": name, "event": EVENT, "actions": [START], **changes}


def test_a_handler_is_registered_once_and_then_replaced(client):
    assert client.post("/api/event", json=handler()).status_code == 200
    again = client.post("/api/event", json=handler())
    assert (again.status_code, "PUT /api/event" in again.json()["message"]) == (409, True)
    assert client.put("/api/event", json=handler(active=True)).status_code == 200
    (found,) = client.get("/api/event").json()
    assert (found["name"], found["active"], found["actions"][0]["action"]) == ("on-order", True, "start_workflow")
    assert client.get("/api/event/handler/on-order").json() == found


def test_handlers_are_found_by_their_event(client):
    client.post("/api/event", json=handler("awake", active=True))
    client.post("/api/event", json=handler("asleep"))
    client.post("/api/event", json=handler("other", event="amqp_queue:orders", active=True))
    path = "/api/event/amqp_exchange:shop%3FroutingKey=order.%23"
    assert [each["name"] for each in client.get(path).json()] == ["awake"]
    assert [each["name"] for each in client.get(f"{path}?activeOnly=false").json()] == ["asleep", "awake"]
    assert client.get("/api/event/amqp_queue:nothing").json() == []


def test_a_handler_that_nobody_knows_is_missing(client):
    assert client.put("/api/event", json=handler()).status_code == 404
    assert client.delete("/api/event/on-order").status_code == 404
    assert client.get("/api/event/handler/on-order").status_code == 404
    client.post("/api/event", json=handler())
    assert client.delete("/api/event/on-order").status_code == 200
    assert client.get("/api/event").json() == []


def test_mistakes_are_told_with_their_paths(client):
    answer = client.post("/api/event", json=handler(event="amqp_queue:", actions=[{"action": "dance"}]))
    assert answer.status_code == 400
    assert [each["path"] for each in answer.json()["validationErrors"]] == ["event", "actions[0].action"]


def test_several_handlers_are_registered_together_or_not_at_all(client):
    assert client.post("/api/event", json=[handler("a"), handler("b")]).status_code == 200
    assert client.post("/api/event", json=[handler("c"), handler("b")]).status_code == 409
    assert [each["name"] for each in client.get("/api/event").json()] == ["a", "b"]
    assert client.post("/api/event", json=[]).status_code == 400


def test_an_event_that_names_no_place_is_kept(client):
    assert client.post("/api/event", json=handler(event="sold", active=True)).status_code == 200
    assert [each["name"] for each in client.get("/api/event/sold").json()] == ["on-order"]


@pytest.fixture
def executions(store):
    def execution(index, status, output, name="on-order"):
        return EventExecution(
            key=f"k{index}{name}",
            handler=name,
            event=EVENT,
            message_id="m-1",
            index=index,
            action="start_workflow",
            status=status,
            output=output,
            at=Instant(5_000_000 + index),
        )

    with store.transaction() as tx:
        tx.record_event_executions(
            [
                execution(0, COMPLETED, {"workflowId": "w"}),
                execution(1, FAILED, {"error": "no"}),
                execution(0, COMPLETED, {}, "other"),
            ]
        )


def test_executions_are_a_list_that_can_be_narrowed(client, executions):
    assert client.get("/api/event/execution?status=COMPLETED&handler=on-order").json() == [
        {
            "id": "m-1_0",
            "messageId": "m-1",
            "name": "on-order",
            "event": EVENT,
            "created": 5_000,
            "status": "COMPLETED",
            "action": "start_workflow",
            "output": {"workflowId": "w"},
        }
    ]
    assert len(client.get("/api/event/execution").json()) == 3
    assert [each["id"] for each in client.get("/api/event/execution?size=1").json()] == ["m-1_1"]
    assert client.get("/api/event/execution?size=9999").status_code == 400
    assert client.get("/api/event/execution?start=-1").status_code == 400


def test_scripts_that_fetch_the_executions_get_the_handlers_with_numbers(client, executions):
    """The newer web UI lists them so; a list would leave its page empty."""
    client.post("/api/event", json=[handler(active=True), handler("idle")])
    told = client.get("/api/event/execution", headers={"Sec-Fetch-Mode": "cors"}).json()
    shown = {"name": "on-order", "event": EVENT, "active": True, "numberOfMessages": 1, "numberOfActions": 2}
    assert told["totalHits"] == 2
    assert sorted(told["results"], key=lambda each: -each["numberOfActions"])[0] == shown
    assert isinstance(client.get("/api/event/execution", headers={"Sec-Fetch-Mode": "navigate"}).json(), list)


def test_the_executions_of_one_handler_have_what_a_monitor_shows(client, executions):
    found = client.get("/api/event/execution/on-order").json()
    assert [(each["id"], each["statusDescription"]) for each in found] == [("m-1_1", "no"), ("m-1_0", None)]
    assert all((each["payload"], each["fullMessagePayload"]) == ({}, {}) for each in found)
    assert client.get("/api/event/execution/on-order?from=300000").json() == []
    assert len(client.get("/api/event/execution/on-order?from=-1").json()) == 2
    assert client.get("/api/event/execution/nobody").json() == []
