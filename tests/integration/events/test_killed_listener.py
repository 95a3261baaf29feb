"""A listener that is killed between action and ack: its message comes again, and nothing is done twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pika
import pytest

from engine.broker.rabbitmq import connection_parameters
from engine.config import Settings
from engine.store import open_store
from engine.store.migrate import migrate
from engine.wire.message import events_queue
from tests.integration.events.conftest import Site

BATON = str(Path(sys.executable).parent / "baton")


@contextmanager
def listener(database: str, broker: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "BATON_DATABASE_URL": database, "BATON_BROKER_URL": broker, "BATON_PARTITIONS": "1"}
    process = subprocess.Popen([BATON, "listener"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def site(postgres_url: str, rabbitmq_url: str) -> Iterator[Site]:
    migrate(postgres_url)
    site = Site(Settings(broker_url=rabbitmq_url, database_url=postgres_url, partitions=1), open_store(postgres_url))
    site.outside.declare_partitions(1)
    yield site
    site.close()
    site.store.close()


def test_a_listener_that_is_killed_before_it_acks_starts_one_run_all_the_same(
    site: Site, postgres_url: str, rabbitmq_url: str
) -> None:
    site.handle("amqp_queue:orders")
    with pika.BlockingConnection(connection_parameters(rabbitmq_url)) as connection:
        channel = connection.channel()
        channel.queue_declare("orders", durable=True)
        channel.basic_publish("", "orders", b'{"id": 7}', pika.BasicProperties(message_id="m-1", delivery_mode=2))
    with listener(postgres_url, rabbitmq_url):
        # Nobody decides, so it waits for an answer: the start is sent, the message is not acked.
        site.until(lambda: site.outside.ready(events_queue(0)) == 1)
    site.until(lambda: site.outside.ready("orders") == 1)
    with listener(postgres_url, rabbitmq_url) as second:
        site.until(lambda: site.outside.ready(events_queue(0)) == 2)
        site.decide()
        (execution,) = site.done(1)
        second.terminate()
        assert second.wait(60) == 0
    assert (execution.status, execution.id) == ("COMPLETED", "m-1_0")
    assert [run.id for run in site.runs("ship")] == [execution.output["workflowId"]]
    assert site.outside.ready("orders") == 0


def test_a_decider_that_is_away_is_waited_for(
    site: Site, postgres_url: str, rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.services.listener.ANSWER_SECONDS", 1.0)
    site.handle("amqp_queue:orders")
    site.listen()
    site.until(lambda: site.outside.ready("orders") is not None)
    with pika.BlockingConnection(connection_parameters(rabbitmq_url)) as connection:
        connection.channel().basic_publish("", "orders", b'{"id": 7}', pika.BasicProperties(message_id="m-1"))
    # Asked at least twice by now, in vain.
    site.until(lambda: (site.outside.ready(events_queue(0)) or 0) >= 2)
    site.decide()
    (execution,) = site.done(1)
    assert execution.status == "COMPLETED"
    assert len(site.runs("ship")) == 1
