"""What workers publish to exchanges on Redis is heard by those who listen to the engine's own."""

from __future__ import annotations

from celery import Celery

from engine.broker.redis import RedisBroker
from engine.wire.message import STATUS_EXCHANGE, Message
from workers.reply import EngineReplies


def test_an_event_of_a_worker_is_heard_like_a_status_of_the_engine(redis_url: str) -> None:
    listening = RedisBroker(redis_url)
    listening.subscribe("event.#", "ear")
    listening.consume("ear", 10)
    event = Message(exchange=STATUS_EXCHANGE, queue="event.shop.sold", body=b'{"item": 7}')
    with Celery("events", broker=redis_url, set_as_current=False) as app:
        EngineReplies(app).publish(event)
        EngineReplies(app).publish(Message(exchange=STATUS_EXCHANGE, queue="workflow.failed.a", body=b"{}"))
        EngineReplies(app).publish(event)

    heard = []
    while len(heard) < 2:
        heard += listening.receive(10, 20)

    assert [(item.message.queue, item.message.body) for item in heard] == [(event.queue, event.body)] * 2
    listening.close()
