"""Names come from strangers too: from data, from domains, from messages. None of them leads where it must not."""

from __future__ import annotations

import pytest

from engine.testing.harness import Harness
from engine.wire.message import DEAD_QUEUE, START_QUEUE


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    chosen = {"dynamicTaskNameParam": "what", "inputParameters": {"what": "${workflow.input.what}"}}
    harness.register(
        {"name": "d", "tasks": [{"name": "d", "taskReferenceName": "d", "type": "DYNAMIC", **chosen}]},
        {"name": "s", "tasks": [{"name": "work", "taskReferenceName": "w"}]},
    )
    return harness


@pytest.mark.parametrize("queue", ["baton.start", "baton.events.0", "baton.dead", "baton.marker", "amq.gen-1"])
def test_data_cannot_send_a_task_to_the_engines_own_queues(harness: Harness, queue: str) -> None:
    run = harness.start("d", {"what": queue})

    assert harness.run(run).status == "FAILED"
    assert "the engine's or the broker's own" in str(harness.task(run, "d").reason)
    assert harness.broker.connect().ready(DEAD_QUEUE) == 0
    assert harness.broker.connect().ready(START_QUEUE) == 0


def test_a_domain_cannot_either(harness: Harness) -> None:
    run = harness.start("s", task_to_domain={"*": "baton.events.0"})

    assert harness.run(run).status == "FAILED"


def test_a_run_can_be_ended_whatever_its_tasks_are_called(harness: Harness) -> None:
    for name in ("a\nb", "\x1b[2J", "x" * 300, "ü" * 200, "../../etc", "a:b"):
        run = harness.start("d", {"what": name})
        harness.request(run, "terminate", reason="enough")
        assert harness.run(run).status.is_terminal
