"""How soon work goes on after a process was killed, with the settings of production."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.endpoint import Servers
from engine.config import Settings
from engine.wire.partition import partition_of
from tests.acceptance.conftest import own_servers
from tests.acceptance.processes import until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow
from tests.pace import within

pytestmark = pytest.mark.alone

#: Seconds.
AFTER_A_DECIDER, AFTER_A_WORKER = 5.0, 10.0

PARTITIONS = Settings().partitions


@pytest.fixture(scope="module")
def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with own_servers(servers) as (database_url, broker_url):
        stack = Stack(tmp_path_factory.mktemp("recovery"), database_url, broker_url, pauses={})
        try:
            stack.serve()
            yield stack
        finally:
            stack.close()


def test_after_a_decider_was_killed_all_work_goes_on_within_five_seconds(stack: Stack) -> None:
    stack.define(workflow("canary", simple("add", left=1, right=1)), tasks=[task_def("add")])
    # Given two deciders, each with half of the partitions.
    staying, leaving = stack.baton("decider"), stack.baton("decider")
    worker = stack.celery("vanilla", "worker-adding", "-c", "1", "-Q", "add", **vanilla(stack))
    stack.ready(staying, leaving, worker)
    leaving.says(f"owned={PARTITIONS // 2}")
    staying.says(f"owned={PARTITIONS // 2}")
    # When one is killed, and nobody takes its place.
    with within(AFTER_A_DECIDER):
        leaving.kill()
        # Then there is no partition on which new work is not done.
        runs = [start_on(stack, partition) for partition in range(PARTITIONS)]
        for run in runs:
            assert stack.ended(run)["status"] == "COMPLETED"


def test_after_a_worker_was_killed_its_tasks_are_done_within_ten_seconds(stack: Stack, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    stack.define(workflow("held", simple("hold", gate=str(gate))), tasks=[task_def("hold")])
    decider = stack.baton("decider")
    # Given two workers, and a task on each of their processes.
    options = ("-c", "2", "-Q", "hold")
    staying, leaving = (stack.celery("vanilla", f"worker-{name}", *options, **vanilla(stack)) for name in "ab")
    stack.ready(decider, staying, leaving)
    runs = [stack.start("held") for _ in range(4)]
    until("both hold two tasks", lambda: all(each.log().count(" received") == 2 for each in (staying, leaving)))
    # When one is killed, and its tasks need no time any more.
    with within(AFTER_A_WORKER):
        leaving.kill()
        gate.touch()
        # Then the other one does them.
        for run in runs:
            assert stack.ended(run)["status"] == "COMPLETED"


def start_on(stack: Stack, partition: int) -> str:
    """Start a canary on that partition; return its id."""
    run = next(each for each in iter(lambda: str(uuid.uuid4()), "") if partition_of(each, PARTITIONS) == partition)
    stack.publish(json.dumps({"name": "canary", "workflowId": run}).encode())
    return run
