"""The tasks of a workflow that is terminated never run, if they still wait in their queue: whatever kind of worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery, _state

from engine.broker.memory import MemoryBroker
from engine.broker.opening import open_broker
from engine.broker.port import Broker
from engine.clock import SystemClock
from engine.config import Settings
from engine.decider.validate import check_workflow
from engine.executor import Executor
from engine.model.event import StartWorkflow
from engine.model.request import Request
from engine.testing.memory_store import MemoryStore
from engine.wire.celery_message import decode_result
from engine.wire.message import START_QUEUE, events_queue
from engine.wire.request_message import encode_request
from engine.wire.start_message import encode_start
from workers.embedded import EmbeddedWorkers

if TYPE_CHECKING:
    from tests.integration.workers.conftest import Launcher

#: Seconds until what must happen counts as not happening.
PATIENCE = 20.0


class Engine:
    """A road with a real broker that is driven by hand."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.store = MemoryStore()
        broker.declare_partitions(1)
        for queue in (START_QUEUE, events_queue(0)):
            broker.consume(queue, 100)
        self._executor = Executor(self.store, broker, SystemClock(), Settings(), 1)
        #: What workers answered: the status as the engine reads it, and the reason.
        self.answers: dict[str, tuple[str, str | None]] = {}

    def run(self, name: str, task: str, **inputs: Any) -> None:
        """Start a run of one task; its id is its name."""
        document = {
            "name": name,
            "tasks": [{"name": task, "taskReferenceName": "it", "type": "SIMPLE", "inputParameters": inputs}],
        }
        with self.store.transaction() as transaction:
            transaction.register_workflow(check_workflow(document), overwrite=True)
        self.broker.publish([encode_start(StartWorkflow(event_id=name, workflow_id=name, name=name))])
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

    def carry_until(self, reached: Callable[[], bool]) -> None:
        """Carry what arrives until this holds."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < deadline, f"it did not happen; the workers answered {self.answers}"
            if deliveries := self.broker.receive(100, 0.1):
                for delivery in deliveries:
                    if not delivery.message.headers.get("baton"):
                        result = decode_result(delivery)
                        self.answers[result.workflow_id] = (result.status.value, result.reason)
                self._executor.handle(deliveries)


@pytest.fixture
def engine(vhost: str) -> Iterator[Engine]:
    broker = open_broker(vhost)
    yield Engine(broker)
    broker.close()


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_celery_worker_never_runs_a_queued_task_of_a_terminated_workflow(
    engine: Engine, launch: Launcher, vhost: str, tmp_path: Path, pool: str
) -> None:
    gate, trace = tmp_path / "gate", tmp_path / "trace"
    worker = launch.worker(pool, "-c", "1", "-Q", "shop.hold,shop.leave")
    engine.run("slow", "shop.hold", gate=str(gate))
    engine.carry_until(lambda: engine.broker.ready("shop.hold") == 0)
    engine.run("doomed", "shop.leave", trace=str(trace))
    assert engine.broker.ready("shop.leave") == 1

    engine.terminate("doomed")
    observer = Celery("observer", broker=vhost, set_as_current=False)
    engine.carry_until(lambda: any("doomed.1" in ids for ids in (observer.control.inspect().revoked() or {}).values()))
    gate.touch()
    engine.carry_until(lambda: engine.status("slow") == "COMPLETED" and "doomed" in engine.answers)

    assert engine.answers["doomed"] == ("FAILED", "revoked")
    assert not trace.exists()
    observer.close()
    worker.terminate()
    worker.wait(PATIENCE)


def test_embedded_workers_never_run_a_queued_task_of_a_terminated_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    # Celery copies every shared task of the process, those of other tests too, into each new app.
    monkeypatch.setattr(_state, "_on_app_finalizers", set())
    hub = MemoryBroker()
    engine = Engine(hub.connect())
    app = Celery("shop", set_as_current=False)
    running, free, told = threading.Event(), threading.Event(), threading.Event()
    ran: list[str] = []

    @app.task(shared=False)
    def hold() -> None:
        running.set()
        free.wait(PATIENCE)

    @app.task(shared=False)
    def leave() -> None:
        ran.append("doomed")

    workers = EmbeddedWorkers(hub.connect, [app], threads=1)
    revoke = workers.revoke
    workers.revoke = lambda task_id: (revoke(task_id), told.set())  # type: ignore[method-assign]
    workers.start()
    engine.run("slow", "hold")
    assert running.wait(PATIENCE)
    engine.run("doomed", "leave")

    engine.terminate("doomed")
    assert told.wait(PATIENCE)
    free.set()
    engine.carry_until(lambda: engine.status("slow") == "COMPLETED" and "doomed" in engine.answers)

    assert engine.answers["doomed"] == ("FAILED", "revoked")
    assert ran == []
    assert workers.stop()
