"""EVENT: where messages go, and what a sink that cannot be served says (Conductor 3.13)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kombu import Connection

from engine.wire.message import SINK_QUEUE, STATUS_EXCHANGE, Message
from workers import TaskFailure
from workers.tasks import event
from workers.tasks.event import run


class Task:
    """Stands for the Celery task: a request with an id, and a backend that publishes."""

    def __init__(self) -> None:
        self.published: list[Message] = []
        self.request = self
        self.backend = self
        self.id = "run.3"

    def publish(self, message: Message) -> None:
        self.published.append(message)


def publish(sink: Any) -> tuple[dict[str, Any], Message]:
    task = Task()
    output = run(task, event_produced=sink, order=7)
    return output, task.published[-1]


@pytest.mark.parametrize(
    ("sink", "exchange", "key"),
    [
        ("conductor:ship:done", STATUS_EXCHANGE, "event.conductor:ship:done"),
        ("amqp_queue:orders", "", "orders"),
        ("amqp_queue:orders?durable=true", "", "orders"),
        ("amqp_exchange:orders", "orders", ""),
        ("amqp_exchange:orders?routingKey=new.one", "orders", "new.one"),
    ],
)
def test_a_sink_is_an_address_on_the_engines_broker(sink: str, exchange: str, key: str) -> None:
    output, message = publish(sink)
    assert (message.exchange, message.queue) == (exchange, key)
    assert json.loads(message.body) == output == {"event_produced": sink, "order": 7}


def test_what_is_told_to_the_engine_itself_also_waits_for_its_event_handlers() -> None:
    task = Task()
    run(task, event_produced="conductor:ship:done", order=7)
    kept, shown = task.published
    assert (kept.queue, kept.exchange, kept.message_id) == (SINK_QUEUE, "", "run.3")
    assert kept.headers == {"event": "conductor:ship:done"}
    assert kept.body == shown.body


def test_the_message_id_is_the_task_id() -> None:
    assert publish("amqp_queue:orders")[1].message_id == "run.3"


@pytest.mark.parametrize(
    ("sink", "fault"),
    [
        ("kafka:foo", "Unknown queue type kafka"),
        ("zzz", "Illegal event zzz"),
        ("", "Illegal event"),
        (None, "Illegal event"),
        ("amqp_queue:", "Illegal event"),
        ("amqp_queue:" + "x" * 300, "longer than 255 bytes"),
        ("memory://", "name the queue"),
        ("nothing://host#queue", "nothing"),
    ],
)
def test_a_sink_that_cannot_be_served_fails_and_the_output_is_filled(sink: Any, fault: str) -> None:
    with pytest.raises(TaskFailure) as caught:
        run(Task(), event_produced=sink, order=7)
    assert caught.value.reason.startswith(f"Error loading queue:{sink or ''}, for task:run.3, error: ")
    assert fault in caught.value.reason
    assert caught.value.output == {"event_produced": sink, "order": 7}


def test_another_broker_is_reached_by_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    # This broker is in the process's own memory; which addresses may be reached is tested with the attacks on HTTP.
    monkeypatch.setattr(event, "_judged", lambda url: url)
    run(Task(), event_produced="memory://elsewhere#orders", order=7)
    with Connection("memory://elsewhere") as connection:
        queue = connection.SimpleQueue("orders")
        message = queue.get(timeout=60)
        assert json.loads(message.body)["order"] == 7
        assert message.properties["message_id"] == "run.3"
        message.ack()
        queue.close()
