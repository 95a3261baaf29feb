"""Real Celery workers as processes of their own, and the engine's side of the conversation with them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from deploy.endpoint import Servers
from deploy.vhosts import Vhosts
from engine.broker.opening import open_broker
from engine.config import LOOPBACK
from engine.model.event import TaskResult
from engine.operations.desk import granted
from engine.wire.celery_message import decode_result, encode_task
from engine.wire.message import Delivery, events_queue
from engine.wire.request_message import decode_request, encode_outcome
from engine.wire.start_message import KIND_HEADER

REPLIES = events_queue(0)
HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent

#: Seconds until a missing answer is a failure; far more than any of them takes.
PATIENCE = 90.0


class Desk:
    """Sends tasks as the engine does, and sorts the answers by task."""

    def __init__(self, url: str) -> None:
        self.broker = open_broker(url)
        self.broker.reconnect()
        self.broker.declare_partitions(1)
        self.broker.consume(REPLIES, 1_000)
        self._sent = 0
        #: Tasks that a worker has asked to begin again.
        self.asked: list[str] = []
        self._received: dict[int, list[Delivery]] = defaultdict(list)

    def send(self, queue: str, name: str, /, changes: dict[str, Any] | None = None, **inputs: Any) -> int:
        """Send a task and return its seq; ``changes`` go to ``encode_task``."""
        self._sent += 1
        given = {"workflow_id": "run", "reply_to": REPLIES, "input": inputs, **(changes or {})}
        message = encode_task(task_id=f"run.{self._sent}", name=name, queue=queue, **given)
        self.broker.publish([message])
        return self._sent

    def deliveries(self, seq: int, count: int) -> list[Delivery]:
        """Wait for this many messages about a task."""
        deadline = time.monotonic() + PATIENCE
        while len(self._received[seq]) < count and time.monotonic() < deadline:
            arrived = self.broker.receive(100, deadline - time.monotonic())
            self.broker.ack(arrived)
            for delivery in arrived:
                if KIND_HEADER in delivery.message.headers:
                    self._let_begin_again(delivery)
                else:
                    self._received[decode_result(delivery).seq].append(delivery)
        assert len(self._received[seq]) >= count, f"task {seq}: {len(self._received[seq])} of {count} answers"
        return self._received[seq]

    def _let_begin_again(self, delivery: Delivery) -> None:
        """Grant a worker's question, which is all that workers ask."""
        request = decode_request(delivery)
        assert request.verb == "take_again"
        self.asked.append(str(request.arguments["taskId"]))
        answer = encode_outcome(str(request.reply_to), request.reply_id, granted(timesBegun=2))
        self.broker.publish([answer])

    def answers(self, seq: int, count: int = 1) -> list[TaskResult]:
        """Wait for this many answers about a task."""
        return [decode_result(delivery) for delivery in self.deliveries(seq, count)]

    def end(self, seq: int) -> TaskResult:
        """Wait for a task's end."""
        count = 1
        while (answer := self.answers(seq, count)[count - 1]).status.is_open:
            count += 1
        return answer

    def close(self) -> None:
        """Close the connection."""
        self.broker.close()


@pytest.fixture(scope="module")
def vhost(servers: Servers) -> Iterator[str]:
    """Return the URL of a virtual host for the tests of one file."""
    vhosts = Vhosts(servers.broker_url, servers.management_url)
    name = f"workers_{uuid.uuid4().hex}"
    yield vhosts.create(name)
    vhosts.delete(name)


@pytest.fixture(scope="module")
def desk(vhost: str) -> Iterator[Desk]:
    """Return the engine's side."""
    desk = Desk(vhost)
    yield desk
    desk.close()


class Launcher:
    """Starts processes with the shop's surroundings."""

    def __init__(self, broker: str, logs: Path) -> None:
        self._surroundings = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SHOP_BROKER": broker,
            "SHOP_BACKEND": "rpc://",
            "BATON_OUTGOING_LOOPBACK_NETWORKS": LOOPBACK,
        }
        self._logs = logs
        self._processes: list[subprocess.Popen[bytes]] = []

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """Return what a process has said so far."""
        return (self._logs / f"{self._processes.index(process)}.log").read_text()

    def worker(self, pool: str, *options: str, **surroundings: str) -> subprocess.Popen[bytes]:
        """Start a plain ``celery worker``."""
        name = f"{uuid.uuid4().hex}@box"
        command = ["-m", "celery", "-A", "shop", "worker", "-P", pool, "-c", "3", "-n", name, *options]
        return self.python(*command, **surroundings)

    def python(self, *arguments: str, **surroundings: str) -> subprocess.Popen[bytes]:
        """Start Python."""
        with (self._logs / f"{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=HERE,
                env={**self._surroundings, **surroundings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """End all that still run."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def launch(vhost: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Return what starts processes; all are stopped in the end."""
    launcher = Launcher(vhost, tmp_path_factory.mktemp("logs"))
    yield launcher
    launcher.stop()


@pytest.fixture(scope="module")
def outsider(vhost: str) -> Iterator[Callable[[str], Celery]]:
    """Return what makes a Celery app that is no part of any workflow."""
    apps: list[Celery] = []

    def make(backend: str) -> Celery:
        app = Celery(f"outsider-{len(apps)}", broker=vhost, backend=backend, set_as_current=False)
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.close()
