"""Every batch tells which runs it has changed. That it tells once more after a crash, the tests of redelivery ask."""

from __future__ import annotations

import pytest

from engine.broker.port import Broker
from engine.model.event import StartWorkflow
from engine.testing.harness import Harness
from engine.wire.news import NEWS_KEY, Changed, decode_news
from engine.wire.start_message import encode_start


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    harness.register({"name": "w", "tasks": [{"name": ref, "taskReferenceName": ref} for ref in ("a", "b")]})
    return harness


@pytest.fixture
def ear(harness: Harness) -> Broker:
    ear = harness.broker.connect()
    ear.subscribe(NEWS_KEY, "ear")
    ear.consume("ear", 100)
    return ear


def heard(ear: Broker) -> list[Changed]:
    return [each for delivery in ear.receive(100, 0) for each in decode_news(delivery)]


def test_news_says_which_version_of_a_run_was_saved_and_whether_its_status_may_be_another(
    harness: Harness, ear: Broker
) -> None:
    run = harness.start("w")
    begun = harness.run(run).version_no
    harness.work({"a": lambda _: {}, "b": lambda _: {}})
    assert heard(ear) == [
        Changed(run, "w", begun, "RUNNING", True),
        Changed(run, "w", begun + 1, "RUNNING", False),
        Changed(run, "w", begun + 2, "COMPLETED", True),
    ]


def test_a_batch_tells_of_all_its_runs_at_once(harness: Harness, ear: Broker) -> None:
    harness.publish(*(encode_start(StartWorkflow(event_id=run, workflow_id=run, name="w")) for run in ("one", "two")))
    (delivery,) = ear.receive(100, 0)
    assert [each.workflow_id for each in decode_news(delivery)] == ["one", "two"]


def test_a_run_that_is_removed_is_told_of_too(harness: Harness, ear: Broker) -> None:
    run = harness.start("w")
    harness.request(run, "terminate")
    heard(ear)
    harness.request(run, "remove")
    assert [(each.workflow_id, each.moved) for each in heard(ear)] == [(run, True)]
