"""A broker, a Celery app on embedded workers, and the engine's side of the conversation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from celery import Celery

from engine.broker.memory import MemoryBroker
from engine.model.event import TaskResult
from engine.wire.celery_message import decode_result, encode_task
from engine.wire.message import Delivery
from workers.embedded import EmbeddedWorkers

REPLIES = "baton.events.0"


class Bench:
    """A broker, an app, and the engine's side of the conversation."""

    def __init__(self) -> None:
        self.hub = MemoryBroker()
        # The address leads nowhere: embedded workers must not contact any server.
        self.app = Celery("shop", broker="amqp://nowhere.invalid//", backend="rpc://", set_as_current=False)
        self.broker = self.hub.connect()
        self.broker.declare_partitions(1)
        self.broker.consume(REPLIES, 1_000)
        self.workers: EmbeddedWorkers | None = None
        self.sent = 0

    def start(self, threads: int = 2, **options: Any) -> EmbeddedWorkers:
        self.workers = EmbeddedWorkers(self.hub.connect, [self.app], threads=threads, **options)
        self.workers.start()
        return self.workers

    def send(self, name: str, /, queue: str | None = None, priority: int = 0, **inputs: Any) -> int:
        self.sent += 1
        message = encode_task(
            task_id=f"run.{self.sent}",
            name=name,
            queue=queue or name,
            input=inputs,
            workflow_id="run",
            reply_to=REPLIES,
            priority=priority,
        )
        self.broker.publish([message])
        return self.sent

    def answers(self, count: int, patience: float = 60.0) -> list[TaskResult]:
        return [decode_result(delivery) for delivery in self.deliveries(count, patience)]

    def deliveries(self, count: int, patience: float = 60.0) -> list[Delivery]:
        found: list[Delivery] = []
        deadline = time.monotonic() + patience
        while len(found) < count and time.monotonic() < deadline:
            found += self.broker.receive(count - len(found), deadline - time.monotonic())
        self.broker.ack(found)
        assert len(found) == count
        return found

    def answer(self, name: str, /, **inputs: Any) -> TaskResult:
        self.send(name, **inputs)
        return self.answers(1)[0]


def task(bench: Bench, run: Callable[..., Any], name: str = "shop.tasks.work", **options: Any) -> None:
    run.__name__ = "work"  # Celery makes source text of it, which lambdas do not survive.
    bench.app.task(name=name, shared=False, **options)(run)
