"""On Redis, a worker's tasks are its own while it lives, however long they take, and others' soon after it has died."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery

from tests.integration.workers.conftest import ROOT, Desk
from workers.redis_lease import lease_messages

#: A worker with a lease of two seconds. Its task notes that it has begun, and lasts until there is a file.
WORKER = """
import sys, time
from pathlib import Path
from celery import Celery
from workers import connect, redis_lease

redis_lease.LEASE_SECONDS, redis_lease.RENEWAL_SECONDS, redis_lease.LOOK_SECONDS = 2.0, 0.5, 1
app = Celery("leased", broker=sys.argv[1], set_as_current=False)

@app.task(name="hold")
def hold(begun, gate):
    with Path(begun).open("a") as file:
        file.write("begun\\n")
    while not Path(gate).exists():
        time.sleep(0.02)

connect(app)
app.worker_main(["worker", "-P", sys.argv[2], "-c", "1", "-l", "warning", "-Q", "hold", "-n", sys.argv[3]])
"""

Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def desk(redis_url: str) -> Iterator[Desk]:
    desk = Desk(redis_url)
    yield desk
    desk.close()


@pytest.fixture
def start(redis_url: str) -> Iterator[Start]:
    """Return what starts a worker with a pool of this kind."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(pool: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WORKER, redis_url, pool, f"{len(started)}@box"]
        started.append(subprocess.Popen(command, cwd=ROOT, start_new_session=True))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def begun(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_task_of_a_killed_worker_is_begun_by_the_next(desk: Desk, start: Start, tmp_path: Path) -> None:
    file, gate = tmp_path / "begun", tmp_path / "gate"
    doomed = start("threads")
    task = desk.send("hold", "hold", begun=str(file), gate=str(gate))
    desk.answers(task)

    doomed.kill()
    gate.touch()
    start("threads")

    assert desk.end(task).status.is_successful
    # The next worker asks first, since it may have been the task that killed the one before.
    assert desk.asked == [f"run.{task}"]
    assert begun(file) == 2


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_task_that_outlasts_the_lease_is_run_once(desk: Desk, start: Start, tmp_path: Path, pool: str) -> None:
    file, gate, lease = tmp_path / "begun", tmp_path / "gate", 2.0
    for _ in range(2):
        start(pool)
    task = desk.send("hold", "hold", begun=str(file), gate=str(gate))
    desk.answers(task)

    # Nothing more is heard of it, also not that another has begun it, until its lease would have run out long ago.
    assert desk.broker.receive(10, 2 * lease) == []
    gate.touch()

    assert desk.end(task).status.is_successful
    assert begun(file) == 1


def test_an_app_with_a_visibility_timeout_of_its_own_is_left_as_it_is() -> None:
    app = Celery("own", broker="redis://127.0.0.1:1/0", set_as_current=False)
    app.conf.broker_transport_options = {"visibility_timeout": 7200}

    lease_messages(app)

    assert app.conf.broker_transport_options == {"visibility_timeout": 7200}


def test_other_brokers_need_no_lease() -> None:
    app = Celery("rabbit", broker="amqp://127.0.0.1:1//", set_as_current=False)

    lease_messages(app)

    assert not app.conf.broker_transport_options
