"""Event handlers on a real RabbitMQ: queues, exchanges, duplicates, failures and what strangers send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pika
import pytest

from engine.broker.rabbitmq import connection_parameters
from engine.wire.dead_letter import revive
from engine.wire.message import SINK_QUEUE, Message
from tests.integration.events.conftest import Site, start_action
from tests.pace import within


class Shop:
    """A stranger with a plain AMQP client."""

    def __init__(self, url: str) -> None:
        self._connection = pika.BlockingConnection(connection_parameters(url))
        self.channel = self._connection.channel()

    def send(self, queue: str, body: Any, message_id: str | None = None, exchange: str = "") -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.channel.basic_publish(exchange, queue, raw, pika.BasicProperties(message_id=message_id))

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def shop(rabbitmq_url: str) -> Iterator[Shop]:
    opened = Shop(rabbitmq_url)
    yield opened
    opened.close()


@pytest.fixture
def site(rabbitmq_url: str, site_on: Callable[..., Site]) -> Site:
    return site_on(rabbitmq_url)


def test_a_message_in_a_queue_starts_a_run(site: Site, shop: Shop) -> None:
    shop.channel.queue_declare("orders", durable=True)
    site.handle("amqp_queue:orders")
    shop.send("orders", {"id": 7}, "m-1")
    (execution,) = site.done(1)
    assert (execution.status, execution.id, execution.action) == ("COMPLETED", "m-1_0", "start_workflow")
    (run,) = site.until(lambda: site.runs("ship"))
    assert run.id == execution.output["workflowId"]
    assert run.event == "amqp_queue:orders"
    assert run.input["order"] == 7


def test_a_handler_is_effective_at_once_and_so_is_its_end(site: Site, shop: Shop) -> None:
    shop.channel.queue_declare("orders", durable=True)
    shop.send("orders", {"id": 1}, "before")
    with within(5):
        site.handle("amqp_queue:orders")
        site.done(1)
    site.handle("amqp_queue:orders", start_action(correlationId="later"))
    shop.send("orders", {"id": 2}, "changed")
    site.done(2)
    assert site.until(lambda: [run for run in site.runs("ship") if run.correlation_id == "later"])
    site.handle("amqp_queue:orders", active=False)
    site.until(lambda: shop.channel.queue_declare("orders", passive=True).method.consumer_count == 0)
    shop.send("orders", {"id": 3}, "asleep")
    site.until(lambda: shop.channel.queue_declare("orders", passive=True).method.message_count == 1)


def test_a_message_that_is_published_twice_counts_once(site: Site, shop: Shop) -> None:
    site.handle("amqp_queue:orders")
    site.until(lambda: site.outside.ready("orders") is not None)
    for _ in range(3):
        shop.send("orders", {"id": 7}, "m-1")
    shop.send("orders", {"id": 8}, "m-2")
    site.done(2)
    site.until(lambda: site.outside.ready("orders") == 0)
    assert len(site.executions()) == 2
    assert len(site.runs("ship")) == 2


def test_messages_without_an_id_are_events_of_their_own(site: Site, shop: Shop) -> None:
    site.handle("amqp_queue:ticks")
    site.until(lambda: site.outside.ready("ticks") is not None)
    shop.send("ticks", {"id": 1})
    shop.send("ticks", {"id": 1})
    site.done(2)
    assert len(site.until(lambda: len(site.runs("ship")) == 2 and site.runs("ship"))) == 2


def test_two_handlers_of_one_queue_get_every_message(site: Site, shop: Shop) -> None:
    site.handle("amqp_queue:orders", name="one")
    site.handle("amqp_queue:orders?durable=true", name="two", condition="$.id > 1")
    site.until(lambda: site.outside.ready("orders") is not None)
    shop.send("orders", {"id": 1}, "m-1")
    found = {each.handler: each.status for each in site.done(2)}
    assert found == {"one": "COMPLETED", "two": "SKIPPED"}


def test_a_topic_exchange_feeds_a_durable_queue_that_is_kept(site: Site, shop: Shop) -> None:
    site.handle("amqp_exchange:shop?exchangeType=topic&routingKey=order.new.#&bindQueueName=on-new")
    site.until(lambda: site.outside.ready("on-new") is not None)
    shop.send("order.new.shoes", {"id": 1}, "m-1", exchange="shop")
    shop.send("order.gone", {"id": 2}, "m-2", exchange="shop")
    assert [each.message_id for each in site.done(1)] == ["m-1"]
    site.handle("amqp_exchange:shop?exchangeType=topic&routingKey=order.new.#&bindQueueName=on-new", active=False)
    site.until(lambda: shop.channel.queue_declare("on-new", passive=True).method.consumer_count == 0)
    shop.send("order.new.hats", {"id": 3}, "m-3", exchange="shop")
    site.until(lambda: site.outside.ready("on-new") == 1)


def test_an_exchange_of_others_is_used_as_it_is(site: Site, shop: Shop) -> None:
    shop.channel.exchange_declare("news", exchange_type="fanout", durable=False)
    site.handle("amqp_exchange:news")
    site.until(lambda: site.outside.ready("baton.event.news") is not None)
    shop.send("", {"id": 1}, "m-1", exchange="news")
    assert site.done(1)[0].status == "COMPLETED"


def test_the_engines_own_news_of_runs_can_be_handled(site: Site) -> None:
    site.handle("amqp_exchange:baton.status?routingKey=workflow.completed.ship", start_action(name="waiting"))
    site.until(lambda: site.outside.ready("baton.event.baton.status.workflow.completed.ship") is not None)
    site.outside.publish([Message(queue="baton.start", body=b'{"name": "ship"}', message_id="s-1")])
    assert site.until(lambda: site.runs("waiting"))


def test_what_an_event_task_announces_is_handled(site: Site) -> None:
    site.handle("conductor:sell:sold")
    site.outside.publish(
        [Message(queue=SINK_QUEUE, body=b'{"id": 4}', headers={"event": "conductor:sell:sold"}, message_id="t.1")]
    )
    (execution,) = site.done(1)
    assert (execution.event, execution.id) == ("conductor:sell:sold", "t.1_0")


def test_a_task_is_completed_and_one_that_is_not_there_is_told(site: Site, shop: Shop) -> None:
    details = {"workflowId": "${run}", "taskRefName": "w", "output": {"paid": True}}
    site.handle("amqp_queue:payments", {"action": "complete_task", "complete_task": details})
    site.until(lambda: site.outside.ready("payments") is not None)
    start = b'{"name": "waiting", "workflowId": "w-1"}'
    site.outside.publish([Message(queue="baton.start", body=start, message_id="s-1")])
    site.until(lambda: site.runs("waiting"))
    shop.send("payments", {"run": "w-1"}, "m-1")
    shop.send("payments", {"run": "nobody"}, "m-2")
    found = {each.message_id: each for each in site.done(2)}
    assert found["m-1"].status == "COMPLETED"
    assert (found["m-2"].status, "nobody" in found["m-2"].output["error"]) == ("FAILED", True)
    site.until(lambda: site.runs("waiting")[0].status.is_terminal)
    assert site.outside.ready("payments") == 0


def test_one_action_that_fails_neither_stops_the_others_nor_loses_the_message(site: Site, shop: Shop) -> None:
    site.handle("amqp_queue:orders", start_action(), start_action(name="later"), start_action(name="${nothing}"))
    site.until(lambda: site.outside.ready("orders") is not None)
    shop.send("orders", {"id": 7}, "m-1")
    statuses = {each.index: each.status for each in site.done(3)}
    assert statuses == {0: "COMPLETED", 1: "FAILED", 2: "FAILED"}
    (letter,) = site.until(site.letters)
    assert "No such workflow defined. name=later" in letter.reason
    assert "start_workflow: name is missing" in letter.reason
    assert json.loads(letter.message.body) == {"id": 7}
    shop.send("orders", {"id": 8}, "m-2")
    site.done(6)
    assert len(site.runs("ship")) == 2


def test_a_failure_that_is_sent_again_does_only_what_failed(site: Site, shop: Shop) -> None:
    site.handle("amqp_queue:orders", start_action(), start_action(name="waiting", version=2))
    site.until(lambda: site.outside.ready("orders") is not None)
    shop.send("orders", {"id": 7}, "m-1")
    (letter,) = site.until(site.letters)
    site.handle("amqp_queue:orders", start_action(), start_action(name="waiting"))
    site.outside.publish([revive(letter.message)])
    assert site.until(lambda: site.runs("waiting"))
    assert {each.status for each in site.done(3)} == {"COMPLETED", "FAILED"}
    assert len(site.runs("ship")) == 1


@pytest.mark.parametrize("body", [b"", b"no json", b"\xff\xfe", b"[" * 50_000, b'"text"', b"null"])
def test_whatever_a_stranger_sends_is_carried_and_blocks_nobody(site: Site, shop: Shop, body: bytes) -> None:
    site.handle("amqp_queue:orders", start_action(input={"all": "${$}"}), condition="$ != 5")
    site.until(lambda: site.outside.ready("orders") is not None)
    shop.send("orders", body, "strange")
    shop.send("orders", {"id": 1}, "plain")
    found = {each.message_id: each.status for each in site.done(2)}
    assert found["plain"] == "COMPLETED"
    assert set(found) == {"strange", "plain"}


def test_a_queue_that_is_deleted_is_declared_again(site: Site, shop: Shop) -> None:
    site.handle("amqp_queue:orders")
    site.until(lambda: site.outside.ready("orders") is not None)
    shop.channel.queue_delete("orders")
    site.until(lambda: site.outside.ready("orders") is not None)
    shop.send("orders", {"id": 1}, "m-1")
    assert site.done(1)[0].status == "COMPLETED"


def test_many_messages_are_carried_in_batches(site: Site, shop: Shop) -> None:
    site.handle("amqp_queue:orders")
    site.until(lambda: site.outside.ready("orders") is not None)
    for number in range(250):
        shop.send("orders", {"id": number}, f"m-{number}")
    found = site.until(lambda: len(site.executions(size=1_000)) == 250 and site.executions(size=1_000))
    assert {each.status for each in found} == {"COMPLETED"}
