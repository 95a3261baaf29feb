"""Further attempts: how many, after which delay, with which input (Conductor 1.3, 4.3.1)."""

from __future__ import annotations

import pytest

from engine.clock import Instant
from engine.decider.retry import delay_seconds, retry_at
from engine.model.definition import TaskDef
from engine.model.execution import Task
from engine.testing.harness import result_message
from tests.unit.decider.steps import Flaky, echo, fails, fails_for_good, inputs, run_of, step


@pytest.mark.parametrize(
    ("definition", "delays"),
    [
        ({"retryLogic": "FIXED", "retryDelaySeconds": 5, "backoffScaleFactor": 9}, [5, 5, 5]),
        ({"retryLogic": "LINEAR_BACKOFF", "retryDelaySeconds": 5, "backoffScaleFactor": 2}, [10, 20, 30]),
        ({"retryLogic": "EXPONENTIAL_BACKOFF", "retryDelaySeconds": 5, "backoffScaleFactor": 9}, [5, 10, 20]),
        ({"retryLogic": "EXPONENTIAL_BACKOFF", "retryDelaySeconds": 5, "maxRetryDelaySeconds": 12}, [5, 10, 12]),
        (
            {"retryLogic": "LINEAR_BACKOFF", "retryDelaySeconds": 2_000_000_000},
            [2_000_000_000, 2_147_483_647, 2_147_483_647],
        ),
        ({"retryLogic": "EXPONENTIAL_BACKOFF", "retryDelaySeconds": 2**31 - 1}, [2_147_483_647] * 3),
    ],
)
def test_delays_grow_as_the_logic_says(definition, delays):
    read = TaskDef.model_validate({"name": "t", **definition})
    assert [delay_seconds(read, attempt) for attempt in range(3)] == delays
    assert delay_seconds(read, 10_000) <= 2_147_483_647


def test_jitter_is_added_after_the_cap_and_is_the_same_each_time():
    definition = TaskDef(name="t", retry_delay_seconds=5, max_retry_delay_seconds=5, backoff_jitter_ms=1_000)
    tasks = [Task(workflow_id="w", seq=seq, ref="t", type="SIMPLE", name="t") for seq in range(1, 40)]
    dates = [retry_at(definition, task, Instant(0)) for task in tasks]
    assert dates == [retry_at(definition, task, Instant(0)) for task in tasks]
    assert all(5_000_000 <= date <= 6_000_000 for date in dates)
    assert len(set(dates)) > 30


def test_the_next_attempt_is_handed_out_when_its_delay_has_passed(harness):
    run = run_of(harness, step("a"), defs=[{"name": "a", "retryCount": 1, "retryDelaySeconds": 5}])
    harness.work({"a": fails})
    again = harness.task(run, "a")
    assert (again.status, again.attempt, again.callback_after_seconds, again.dispatched) == ("SCHEDULED", 1, 5, False)
    assert "no luck" in again.reason
    harness.advance(4.999)
    assert harness.take("a") == []
    harness.restart_decider()
    harness.advance(0.001)
    assert harness.take("a")[0].message.headers["attempt"] == 1


def test_attempts_are_counted_and_then_the_run_fails_with_the_reason(harness):
    run = run_of(harness, step("a"), defs=[{"name": "a", "retryCount": 2, "retryDelaySeconds": 0}])
    assert harness.work({"a": fails}) == 3
    last = harness.task(run, "a")
    assert harness.run(run).reason == f"Task {last.id} failed with status: FAILED and reason: 'ValueError: no luck'"
    assert harness.run(run).failed_task_id == last.id
    assert [task.retried for task in harness.rows(run).tasks] == [True, True, False]


def test_the_steps_own_number_of_retries_wins(harness):
    run = run_of(harness, step("a", retryCount=0), defs=[{"name": "a", "retryCount": 5}])
    harness.work({"a": fails})
    assert harness.run(run).status == "FAILED"


def test_an_unregistered_task_gets_three_retries_a_minute_apart(harness):
    run = run_of(harness, step("a"))
    worker = Flaky(3)
    for _ in range(4):
        harness.work({"a": worker})
        harness.advance(60)
    assert harness.run(run).status == "COMPLETED"
    assert worker.calls == 4


def test_a_terminal_failure_is_not_retried(harness):
    run = run_of(harness, step("a", retryCount=5))
    assert harness.work({"a": fails_for_good}) == 1
    assert harness.task(run, "a").status == "FAILED_WITH_TERMINAL_ERROR"
    assert "failed with status: FAILED" in harness.run(run).reason


def test_the_input_is_evaluated_again_over_the_old_one(harness):
    task = {"name": "b", "retryCount": 1, "retryDelaySeconds": 5}
    run = run_of(
        harness,
        step("w", "WAIT", **inputs(duration="1s")),
        step("b", **inputs(s="${w.status}", v="${workflow.variables.v}")),
        defs=[task],
    )
    harness.advance(1)
    harness.work({"b": fails})
    assert harness.task(run, "b").input == {"s": "COMPLETED", "v": None}


def test_no_attempt_is_made_once_the_budget_over_all_is_spent(harness):
    task = {
        "name": "a",
        "retryCount": 9,
        "retryDelaySeconds": 5,
        "totalTimeoutSeconds": 8,
        "timeoutPolicy": "ALERT_ONLY",
    }
    run = run_of(harness, step("a"), defs=[task])
    harness.work({"a": fails})
    harness.advance(5)
    taken = harness.take("a")
    harness.advance(5)
    harness.publish(*[_failure(each) for each in taken])
    assert harness.run(run).status == "FAILED"
    assert harness.run(run).reason == (
        f"Task {run}.2/a exceeded total timeout of 8 seconds (elapsed 10 seconds across all attempts). "
        "No further retries will be attempted."
    )


def _failure(delivery):
    body = {
        "task_id": delivery.message.headers["id"],
        "status": "FAILURE",
        "result": {"exc_type": "ValueError", "exc_message": ["x"]},
    }
    return result_message(delivery, body)


def test_a_retry_that_falls_due_while_the_run_is_paused_is_made_on_resume(harness):
    run = run_of(harness, step("a"), defs=[{"name": "a", "retryCount": 1, "retryDelaySeconds": 5}])
    harness.work({"a": fails})
    harness.request(run, "pause")
    harness.advance(60)
    assert harness.take("a") == []
    harness.request(run, "resume")
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_result_of_an_earlier_attempt_comes_too_late(harness):
    run = run_of(
        harness, step("a"), defs=[{"name": "a", "retryCount": 1, "retryDelaySeconds": 0, "responseTimeoutSeconds": 9}]
    )
    first = harness.take("a")[0]
    harness.publish(_failure(first))
    harness.publish(_failure(first))
    assert [task.attempt for task in harness.rows(run).tasks] == [0, 1]
    assert harness.run(run).status == "RUNNING"
