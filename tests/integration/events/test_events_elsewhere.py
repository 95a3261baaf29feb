"""Event handlers and EVENT tasks meet on other brokers, which the settings name: Redis, Kafka, another RabbitMQ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import redis
from confluent_kafka import Producer

from deploy.endpoint import Servers
from deploy.vhosts import Vhosts
from tests.integration.events.conftest import Site, start_action
from workers import TaskFailure
from workers.tasks.event import run


class Task:
    """Stands for the Celery task of an EVENT."""

    id = "run.3"

    @property
    def request(self) -> Task:
        return self


def publish(monkeypatch: pytest.MonkeyPatch, connections: str, sink: str, **payload: Any) -> None:
    monkeypatch.setenv("BATON_EVENT_CONNECTIONS", connections)
    run(Task(), event_produced=sink, **payload)


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    """The address of a cluster of one broker that its client library brings for tests."""
    keeper = Producer({"test.mock.num.brokers": "1"})
    (broker,) = keeper.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    keeper.flush(1)


def test_whatever_is_pushed_into_a_list_of_redis_is_an_event(
    rabbitmq_url: str, redis_url: str, site_on: Callable[..., Site]
) -> None:
    site = site_on(rabbitmq_url, event_connections=f"redis={redis_url}")
    site.handle("redis:orders")
    with redis.Redis.from_url(redis_url) as stranger:
        stranger.lpush("orders", json.dumps({"id": 7}))
        stranger.lpush("orders", "no json")
        found = site.done(2)
        site.until(lambda: stranger.llen("orders") == 0)
    assert {each.status for each in found} == {"COMPLETED"}
    assert sorted(str(run.input["order"]) for run in site.until(lambda: site.runs("ship"))) == ["7", "None"]


def test_an_event_task_reaches_a_handler_by_way_of_redis(
    rabbitmq_url: str, redis_url: str, site_on: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_on(rabbitmq_url, event_connections=f"cache={redis_url}")
    site.handle("cache:orders")
    publish(monkeypatch, f"cache={redis_url}", "cache:orders", id=8)
    publish(monkeypatch, f"cache={redis_url}", "cache:orders", id=8)
    (execution,) = site.done(1)
    assert execution.id == "run.3_0"
    assert len(site.runs("ship")) == 1


def test_redis_may_be_the_engines_own_broker(redis_url: str, site_on: Callable[..., Site]) -> None:
    site = site_on(redis_url)
    site.handle("amqp_queue:orders")
    with redis.Redis.from_url(redis_url) as stranger:
        stranger.lpush("orders", json.dumps({"id": 7}))
        assert site.done(1)[0].status == "COMPLETED"


def test_a_topic_of_kafka_is_read_once_and_where_it_was_left(
    rabbitmq_url: str, kafka: str, site_on: Callable[..., Site]
) -> None:
    site = site_on(rabbitmq_url, event_connections=f"kafka=kafka://{kafka}")
    stranger = Producer({"bootstrap.servers": kafka})
    stranger.produce("orders", b'{"id": 1}')
    stranger.produce("orders", b"no json")
    stranger.produce("orders", None, key=b"deleted")
    stranger.flush(10)
    site.handle("kafka:orders")
    first = site.done(3)
    assert {each.status for each in first} == {"COMPLETED"}
    assert all(each.message_id.startswith("orders:") for each in first)
    site.handle("kafka:orders", active=False)
    stranger.produce("orders", b'{"id": 2}')
    stranger.flush(10)
    site.handle("kafka:orders", start_action(correlationId="later"))
    site.done(4)
    assert [run.input["order"] for run in site.until(lambda: _later(site))] == [2]


def test_an_event_task_reaches_a_handler_by_way_of_kafka(
    rabbitmq_url: str, kafka: str, site_on: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_on(rabbitmq_url, event_connections=f"log=kafka://{kafka}")
    publish(monkeypatch, f"log=kafka://{kafka}", "log:sold", id=9)
    site.handle("log:sold?group=shop")
    (execution,) = site.done(1)
    assert execution.id == "run.3_0"
    assert site.until(lambda: site.runs("ship"))[0].input["order"] == 9


def test_another_rabbitmq_is_reached_by_its_name(
    servers: Servers, rabbitmq_url: str, site_on: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    vhosts = Vhosts(servers.broker_url, servers.management_url)
    other = f"{vhosts.create('other_' + rabbitmq_url.rpartition('_')[2])}"
    try:
        site = site_on(rabbitmq_url, event_connections=f"shop={other}")
        site.handle("shop:orders?exchangeType=topic&routingKey=new.*&bindQueueName=on-new")
        site.handle("shop:payments", name="paid")
        for handler, sink in (("on-event", "shop:orders?routingKey=new.shoes"), ("paid", "shop:payments")):
            send = partial(publish, monkeypatch, f"shop={other}", sink, id=1)
            site.until(partial(_handled, site, handler, send))
    finally:
        site.close()
        vhosts.delete("other_" + rabbitmq_url.rpartition("_")[2])


def test_a_sink_that_no_setting_names_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskFailure, match="BATON_EVENT_CONNECTIONS"):
        publish(monkeypatch, "", "sqs:orders")


def test_a_handler_whose_connection_is_missing_disturbs_no_other(
    rabbitmq_url: str, site_on: Callable[..., Site], capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_on(rabbitmq_url, event_connections="away=redis://127.0.0.1:9/0")
    site.handle("sqs:orders", name="missing")
    site.handle("sold", name="nowhere")
    site.handle("away:orders", name="away")
    site.handle("amqp_queue:orders", name="there")
    site.until(lambda: site.outside.ready("orders") is not None)
    told = ""

    def is_told(*complaints: str) -> bool:
        nonlocal told
        told += capsys.readouterr().out
        return all(each in told for each in complaints)

    site.until(lambda: is_told("there is no connection 'sqs'", "the event sold names no place"))


def _later(site: Site) -> list[Any]:
    return [run for run in site.runs("ship") if run.correlation_id == "later"]


def _handled(site: Site, handler: str, send: Callable[[], None]) -> bool:
    """Publish until the listener has declared what is published to, and the handler has done something."""
    with suppress(TaskFailure):
        send()
    return bool(site.executions(handler=handler))
