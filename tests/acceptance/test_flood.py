"""Starts that arrive by the thousands at once: memory stays within bounds, nothing is dropped, all of them run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.flood import WORKFLOW, begun, publish, waiting, watched
from deploy.endpoint import Servers
from tests.acceptance.conftest import own_servers
from tests.acceptance.processes import until
from tests.acceptance.stack import Stack

STARTS = 20_000

#: Bytes of each start's input: together far more than a process may take.
INPUT = 10_000

MEGABYTE = 1024 * 1024

#: A process takes some 80 MB with nothing to do; the rest is room for what is prefetched, in work and in its cache.
LIMIT = 260 * MEGABYTE

#: Seconds for all starts to be carried out, on a machine that is busy with other things.
PATIENCE = 300.0


@pytest.fixture
def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with own_servers(servers) as (database_url, broker_url):
        stack = Stack(tmp_path_factory.mktemp("flood"), database_url, broker_url, BATON_CACHE_BYTES=str(16 * MEGABYTE))
        try:
            yield stack
        finally:
            stack.close()


def test_a_flood_of_starts_neither_fills_memory_nor_loses_one(stack: Stack) -> None:
    services = {name: stack.baton(name) for name in ("decider", "starter")}
    stack.ready(*services.values())
    stack.serve()
    stack.define(WORKFLOW)
    with watched({name: [process.pid] for name, process in services.items()}) as memory:
        publish(stack.broker_url, STARTS, INPUT)
        until("every run has begun", lambda: begun(stack.database_url) == STARTS, PATIENCE)
    assert max(memory.most.values()) < LIMIT, memory.most
    assert waiting(stack.broker_url) == 0
    assert stack.command("dead", "list")["results"] == []
