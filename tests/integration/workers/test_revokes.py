"""The tasks of a workflow that is terminated never run, if they still wait in their queue: whatever kind of worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from celery import Celery, _state

from engine.broker.memory import MemoryBroker
from engine.broker.opening import open_broker
from tests.integration.workers.driven_road import PATIENCE, Engine
from workers.embedded import EmbeddedWorkers

if TYPE_CHECKING:
    from tests.integration.workers.conftest import Launcher


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
