"""A worker asks the engine over the broker, whatever broker that is, and goes on when nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery

from engine.broker.opening import open_broker
from engine.broker.port import Broker
from engine.model.request import Outcome, Request
from engine.operations.desk import granted, refused
from engine.wire.message import events_queue
from engine.wire.request_message import decode_request, encode_outcome
from workers.reply import EngineReplies

EVENTS = events_queue(0)

#: Seconds; far more than an answer takes.
PATIENCE = 90.0


@pytest.fixture(params=["rabbitmq", pytest.param("redis", marks=pytest.mark.servers("redis"))])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def engine(url: str) -> Iterator[Broker]:
    """Return the engine's side, which reads what is asked."""
    broker = open_broker(url)
    broker.reconnect()
    broker.declare_partitions(1)
    broker.consume(EVENTS, 10)
    yield broker
    broker.close()


@pytest.fixture
def worker(url: str) -> Iterator[EngineReplies]:
    """Return a worker's side."""
    app = Celery("asking", broker=url, set_as_current=False)
    yield EngineReplies(app)
    app.close()


def question() -> Request:
    return Request(event_id="q1", workflow_id="run", verb="take_again", arguments={"taskId": "run.1"})


@pytest.mark.parametrize("outcome", [granted(timesBegun=2), refused(409, "it has ended")])
def test_the_answer_finds_its_way_back(engine: Broker, worker: EngineReplies, outcome: Outcome) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(worker.ask, question(), EVENTS, PATIENCE)
        (delivery,) = engine.receive(1, PATIENCE)
        asked = decode_request(delivery)
        assert (asked.verb, asked.arguments, asked.event_id) == ("take_again", {"taskId": "run.1"}, "q1")
        engine.publish([encode_outcome(str(asked.reply_to), asked.reply_id, outcome)])
        engine.ack([delivery])
        assert asking.result(PATIENCE) == outcome


def test_no_answer_is_waited_for_in_vain_no_longer_than_it_may_take(engine: Broker, worker: EngineReplies) -> None:
    assert worker.ask(question(), EVENTS, 0.5) is None


def test_a_broker_that_is_away_gives_no_answer() -> None:
    app = Celery("asking", broker="amqp://127.0.0.1:9//", set_as_current=False)
    assert EngineReplies(app).ask(question(), EVENTS, 0.5) is None
    app.close()
