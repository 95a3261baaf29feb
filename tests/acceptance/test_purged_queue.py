"""Somebody purges a task queue; the timekeeper notices by RabbitMQ's HTTP API, and every task is run all the same."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from deploy.endpoint import Servers
from engine.broker.opening import open_broker
from tests.acceptance.conftest import own_servers
from tests.acceptance.processes import until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow

RUNS = 5


@pytest.fixture
def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a stack whose timekeeper knows RabbitMQ's HTTP API; no worker runs yet."""
    with own_servers(servers) as (database_url, broker_url):
        folder = tmp_path_factory.mktemp("purged")
        stack = Stack(folder, database_url, broker_url, BATON_MANAGEMENT_URL=servers.management_url)
        try:
            services = [stack.baton(name) for name in ("decider", "timekeeper")]
            stack.serve()
            stack.ready(*services)
            yield stack
        finally:
            stack.close()


def waiting(stack: Stack) -> int:
    broker = open_broker(stack.broker_url)
    try:
        return broker.ready("add") or 0
    finally:
        broker.close()


def test_a_purged_queue_gets_its_tasks_back_long_before_any_timeout(stack: Stack, servers: Servers) -> None:
    adds = simple("add", left=1, right=2)
    stack.define(workflow("adds", adds), tasks=[task_def("add", responseTimeoutSeconds=600)])
    runs = [stack.start("adds") for _ in range(RUNS)]
    until("all tasks wait", lambda: waiting(stack) == RUNS)

    vhost = urlsplit(stack.broker_url).path.removeprefix("/")
    httpx.delete(f"{servers.management_url}/api/queues/{vhost}/add/contents").raise_for_status()
    until("all tasks wait again", lambda: waiting(stack) == RUNS)

    worker = stack.celery("vanilla", "worker-adds", "-c", "1", "-Q", "add", **vanilla(stack))
    assert {stack.ended(run)["status"] for run in runs} == {"COMPLETED"}
    worker.ask_to_stop()
