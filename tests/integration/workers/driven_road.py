"""The engine's own road on a real broker, driven by hand: beside real workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from engine.broker.port import Broker
from engine.clock import SystemClock
from engine.config import Settings
from engine.decider.validate import check_workflow
from engine.executor import Executor
from engine.model.event import StartWorkflow
from engine.model.execution import Task
from engine.model.request import Request
from engine.testing.memory_store import MemoryStore
from engine.wire.celery_message import decode_result
from engine.wire.message import START_QUEUE, events_queue
from engine.wire.request_message import encode_request
from engine.wire.start_message import encode_start

#: Seconds until what must happen counts as not happening.
PATIENCE = 90.0


class Engine:
    """A road with a real broker that is driven by hand."""

    def __init__(self, broker: Broker, settings: Settings | None = None) -> None:
        self.broker = broker
        self.store = MemoryStore()
        broker.declare_partitions(1)
        for queue in (START_QUEUE, events_queue(0)):
            broker.consume(queue, 100)
        self._executor = Executor(self.store, broker, SystemClock(), settings or Settings(), 1)
        #: What workers answered: the status as the engine reads it, and the reason.
        self.answers: dict[str, tuple[str, str | None]] = {}

    def run(self, name: str, task: str, *, domain: str | None = None, **inputs: Any) -> None:
        """Start a run of one task, which is tried once; its id is its name."""
        step = {"name": task, "taskReferenceName": "it", "type": "SIMPLE", "retryCount": 0, "inputParameters": inputs}
        document = {"name": name, "tasks": [step]}
        domains = {task: domain} if domain else {}
        with self.store.transaction() as transaction:
            transaction.register_workflow(check_workflow(document), overwrite=True)
        start = StartWorkflow(event_id=name, workflow_id=name, name=name, task_to_domain=domains)
        self.broker.publish([encode_start(start)])
        self.carry_until(lambda: self.status(name) == "RUNNING")

    def terminate(self, workflow_id: str) -> None:
        """Ask for the end of a run, and let the engine publish what that commands."""
        request = Request(event_id=f"end {workflow_id}", workflow_id=workflow_id, verb="terminate")
        self.broker.publish([encode_request(request, 1)])
        self.carry_until(lambda: self.status(workflow_id) == "TERMINATED")

    def status(self, workflow_id: str) -> str | None:
        """Return a run's status."""
        with self.store.transaction() as transaction:
            rows = transaction.load([workflow_id]).get(workflow_id)
        return rows.workflow.status.value if rows else None

    def task(self, workflow_id: str) -> Task:
        """Return a run's only task."""
        with self.store.transaction() as transaction:
            return transaction.load([workflow_id])[workflow_id].tasks[0]

    def carry_until(self, reached: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Carry what arrives until this holds."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, f"it did not happen; the workers answered {self.answers}"
            if deliveries := self.broker.receive(100, 0.1):
                for delivery in deliveries:
                    if not delivery.message.headers.get("baton"):
                        result = decode_result(delivery)
                        self.answers[result.workflow_id] = (result.status.value, result.reason)
                self._executor.handle(deliveries)
