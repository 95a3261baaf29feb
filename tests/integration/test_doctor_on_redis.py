"""The doctor looks at a Redis that serves as the broker, and at workers that fetch their tasks there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import redis

from deploy.endpoint import ServerMissing
from deploy.private_redis import PrivateRedis
from engine.model.definition import TaskDef
from engine.services.checkup import examine
from engine.services.finding import Finding
from engine.store import open_store
from engine.store.migrate import migrate

Examine = Callable[[], Mapping[str, list[Finding]]]

#: A worker whose app is vanilla, or connected, with these options of the transport.
WORKER = """
import json, sys
from celery import Celery
from workers import connect

url, connected, options = sys.argv[1], sys.argv[2] == "connected", json.loads(sys.argv[3])
app = Celery("shop", broker=url, backend="rpc://", set_as_current=False)
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, broker_transport_options=options)

@app.task(name="convert")
def convert():
    pass

if connected:
    connect(app)
app.worker_main(["worker", "-P", "threads", "-c", "1", "-l", "info", "-n", "it@box", "-Q", "convert"])
"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a Redis whose settings may be changed."""
    private = PrivateRedis(tmp_path / "redis")
    try:
        yield f"{private.start()}/0"
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    finally:
        private.stop()


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> Examine:
    """Return what examines, and sorts the findings by subject."""
    monkeypatch.chdir(tmp_path)
    database = f"sqlite:///{tmp_path}/baton.db"
    migrate(database)
    monkeypatch.setenv("BATON_DATABASE_URL", database)
    monkeypatch.setenv("BATON_BROKER_URL", url)
    # Nobody listens on the discard port; the server is not what these tests are about.
    monkeypatch.setenv("BATON_SERVER_URL", "http://127.0.0.1:9")

    def examine_it() -> Mapping[str, list[Finding]]:
        found: dict[str, list[Finding]] = {}
        for finding in examine(1.0):
            found.setdefault(finding.subject, []).append(finding)
        return found

    return examine_it


@pytest.fixture
def start(url: str) -> Iterator[Callable[..., None]]:
    """Return what starts a worker and waits until it takes tasks."""
    started: list[subprocess.Popen[str]] = []

    def start_it(kind: str, options: str = "{}") -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, url, kind, options],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        assert process.stderr is not None
        assert any(" ready." in line for line in process.stderr)

    yield start_it
    for process in started:
        process.kill()
        process.communicate()


def test_a_redis_that_logs_and_evicts_nothing_is_well(look: Examine) -> None:
    findings = look()

    assert findings["broker"][0].state == "ok"
    assert [finding.state for finding in findings["redis"]] == ["ok"]


def test_what_loses_messages_is_told(look: Examine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis.Redis.from_url(url) as client:
        client.config_set("appendonly", "no")
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    monkeypatch.setenv("BATON_TASK_QUEUE_TYPE", "quorum")

    told = {finding.what.partition(":")[0]: finding.state for finding in look()["redis"]}

    assert told == {
        "maxmemory-policy is allkeys-lru": "fault",
        "does not log what it is told (appendonly no)": "warning",
        "BATON_TASK_QUEUE_TYPE has no meaning on Redis": "warning",
    }


def test_a_redis_that_is_nearly_full_is_told(look: Examine, url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"])

    assert any("of its maxmemory" in finding.what for finding in look()["redis"])


def test_a_vanilla_worker_on_redis_needs_no_priorities_but_a_visibility_timeout(
    look: Examine, start: Callable[..., None], tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/baton.db")
    with store.transaction() as tx:
        tx.register_tasks([TaskDef(name="convert", response_timeout_seconds=7_200), TaskDef(name="other")])
    store.close()
    start("vanilla", '{"priority_steps": [0, 5]}')

    findings = {finding.state: finding.what for finding in look()["worker it@box"]}

    assert findings["ok"] == "is set as the engine needs it"
    assert "visibility timeout is 3600 s, but the task convert may take 7,200 s" in findings["warning"]
    assert "priority_steps" in findings["fault"]


def test_a_connected_worker_leases_what_it_takes(look: Examine, start: Callable[..., None], tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/baton.db")
    with store.transaction() as tx:
        tx.register_tasks([TaskDef(name="convert", response_timeout_seconds=7_200)])
    store.close()
    start("connected")

    assert [finding.what for finding in look()["worker it@box"]] == ["is connected to the engine"]
