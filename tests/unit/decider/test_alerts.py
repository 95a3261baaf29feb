"""Timeouts that only alert: each date is told once, to listeners and in the log, and nothing ends."""

from __future__ import annotations

import msgspec
import pytest

from engine.model.event import Wake
from engine.testing.harness import Harness, result_message
from engine.wire.request_message import encode_wake
from tests.unit.decider.steps import run_of, step


@pytest.fixture
def ear(harness):
    """Return a listener to everything that is said to be late: routing keys, and what is said."""
    connection = harness.broker.connect()
    connection.subscribe("*.late.#", "ear")
    connection.consume("ear", 1_000)

    def heard() -> list[tuple[str, str]]:
        found = connection.receive(1_000, 0)
        connection.ack(found)
        return [(each.message.queue, msgspec.json.decode(each.message.body)["reason"]) for each in found]

    return heard


def late(**fields):
    return [{"name": "a", "timeoutPolicy": "ALERT_ONLY", "retryDelaySeconds": 0, **fields}]


def begin(harness: Harness, run: str) -> None:
    """Let a worker take the task and say so."""
    for each in harness.take("a"):
        body = {"task_id": each.message.headers["id"], "status": "STARTED"}
        harness.publish(result_message(each, body))


def test_a_run_that_is_late_is_told_of_once_and_goes_on(harness, ear):
    run = run_of(harness, step("a"), timeoutSeconds=10)
    harness.advance(9.9)
    assert ear() == []
    harness.advance(1_000)
    assert ear() == [
        (
            "workflow.late.flow",
            "Workflow timed out after 10 seconds. Timeout configured as 10 seconds. "
            "Timeout policy configured to ALERT_ONLY",
        )
    ]
    assert harness.executor.counts.alerts == 1
    assert harness.run(run).status == "RUNNING"


@pytest.mark.parametrize(
    ("fields", "started", "words"),
    [
        ({"timeoutSeconds": 10, "responseTimeoutSeconds": 0}, True, "Task timed out after 10 seconds"),
        ({"pollTimeoutSeconds": 10}, False, "Task poll timed out after 10 seconds"),
        ({"totalTimeoutSeconds": 10}, False, "exceeded total timeout of 10 seconds"),
    ],
)
def test_a_task_that_is_late_is_told_of_once(harness, ear, fields, started, words):
    run = run_of(harness, step("a"), defs=late(**fields))
    if started:
        begin(harness, run)
    harness.advance(500)
    ((key, reason),) = ear()
    assert key == "task.late.a"
    assert words in reason


def test_what_happens_later_repeats_no_alert(harness, ear):
    run = run_of(harness, step("a"), defs=late(timeoutSeconds=10, responseTimeoutSeconds=0), timeoutSeconds=10)
    begin(harness, run)
    harness.advance(10)
    assert len(ear()) == 2
    for _ in range(3):
        harness.request(run, "update_task", ref="a", status="IN_PROGRESS", output={"done": 1})
        harness.request(run, "reset_callbacks")
        harness.publish(encode_wake(Wake(event_id=f"look {harness.clock.now()}", workflow_id=run, resend=True), 1))
        harness.restart_decider()
        harness.advance(20)
    assert ear() == []


def test_a_wake_up_that_comes_twice_alerts_once_in_the_log(harness, ear):
    run = run_of(harness, step("a"), timeoutSeconds=10)
    harness.clock.advance(10)
    wake = encode_wake(Wake(event_id="the ring", workflow_id=run), 1)
    harness.publish(wake)
    harness.restart_decider()
    harness.publish(wake)
    assert harness.executor.counts.alerts == 0
    assert len(set(ear())) == 1


def test_a_run_that_is_resumed_has_its_time_anew(harness, ear):
    run = run_of(harness, step("a"), timeoutSeconds=10)
    harness.advance(11)
    harness.request(run, "pause")
    harness.request(run, "resume")
    assert len(ear()) == 1
    harness.advance(11)
    assert len(ear()) == 1


def test_each_attempt_has_a_date_of_its_own_and_all_together_one(harness, ear):
    run = run_of(harness, step("a"), defs=late(pollTimeoutSeconds=10, totalTimeoutSeconds=100, retryCount=5))
    harness.advance(11)
    harness.request(run, "update_task", ref="a", status="FAILED")
    harness.advance(11)
    assert [key for key, _ in ear()] == ["task.late.a"] * 2
    harness.advance(500)
    assert ["total" in reason for _, reason in ear()] == [True]
    assert harness.task(run, "a").attempt == 1


def test_a_late_task_in_a_pause_is_told_of_too(harness, ear):
    run = run_of(harness, step("a"), defs=late(pollTimeoutSeconds=10))
    harness.request(run, "pause")
    harness.advance(20)
    assert len(ear()) == 1
    harness.request(run, "resume")
    harness.advance(20)
    assert ear() == []


def test_a_timeout_that_ends_something_alerts_nobody(harness, ear):
    run = run_of(harness, step("a"), defs=[{"name": "a", "pollTimeoutSeconds": 10}])
    harness.advance(20)
    assert harness.run(run).status == "TIMED_OUT"
    assert ear() == []
