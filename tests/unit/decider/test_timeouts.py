"""Every timeout with every policy, the workflow's own, and the rule that silence always ends (Conductor 4.5)."""

from __future__ import annotations

import pytest

from engine.testing.harness import result_message
from tests.unit.decider.steps import echo, fails, fork, inputs, run_of, step


def defined(**fields):
    return [{"name": "a", "retryCount": 1, "retryDelaySeconds": 0, **fields}]


def take(harness, *, started=True):
    """Take the task from its queue; a worker that has started says so."""
    taken = harness.take("a")
    if started:
        harness.publish(
            *[result_message(each, {"task_id": each.message.headers["id"], "status": "STARTED"}) for each in taken]
        )
    return taken


def seen_empty(harness, queue="a"):
    with harness.store.transaction() as transaction:
        transaction.saw_empty({queue: harness.clock.now()})


def test_a_worker_that_falls_silent_times_out_and_the_task_is_tried_again(harness):
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=10))
    take(harness)
    harness.advance(9.9)
    assert harness.task(run, "a").status == "IN_PROGRESS"
    harness.restart_decider()
    harness.advance(0.1)
    first, second = harness.rows(run).tasks
    assert (first.status, second.status) == ("TIMED_OUT", "SCHEDULED")
    assert first.reason == f"responseTimeout: 10 exceeded for the taskId: {run}.1 with Task Definition: a"


def test_a_sign_of_life_starts_the_response_timeout_anew(harness):
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=10))
    taken = take(harness)
    for _ in range(5):
        harness.advance(8)
        harness.publish(result_message(taken[0], {"task_id": f"{run}.1", "status": "PROGRESS", "result": {"done": 1}}))
    assert harness.statuses(run) == {"a": "IN_PROGRESS"}
    assert harness.task(run, "a").output == {"done": 1}


def test_the_response_timeout_ignores_the_policy(harness):
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=10, timeoutPolicy="ALERT_ONLY"))
    take(harness)
    harness.advance(10)
    assert harness.task(run, "a").attempt == 1


def test_when_attempts_are_used_up_the_run_times_out(harness):
    run = run_of(harness, step("a", retryCount=0), defs=defined(responseTimeoutSeconds=10))
    take(harness)
    harness.advance(10)
    assert harness.run(run).status == "TIMED_OUT"
    assert harness.run(run).failed_refs == ()


TASK_TIMEOUT = {"timeoutSeconds": 20, "responseTimeoutSeconds": 20}
POLL_TIMEOUT = {"pollTimeoutSeconds": 20}
TOTAL_TIMEOUT = {"totalTimeoutSeconds": 20}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (TASK_TIMEOUT, "Task timed out after 20 seconds. Timeout configured as 20 seconds. "),
        (POLL_TIMEOUT, "Task poll timed out after 20 seconds. Poll timeout configured as 20 seconds. "),
        (
            TOTAL_TIMEOUT,
            "Task a/run-1.2 exceeded total timeout of 20 seconds (elapsed 20 seconds across all attempts including "
            "retry delays). ",
        ),
    ],
)
def test_a_timeout_of_the_policy_time_out_wf_ends_the_run_with_its_own_sentence(harness, fields, words):
    run = run_of(harness, *fork("f", [step("a", optional=True)], [step("b")]), defs=defined(**fields))
    take(harness, started=fields is not POLL_TIMEOUT)
    harness.advance(20)
    assert harness.run(run).status == "TIMED_OUT"
    assert harness.task(run, "a").status == "TIMED_OUT"
    assert harness.task(run, "b").status == "CANCELED"
    shown = harness.run(run).reason
    assert shown.startswith(words)
    assert "olicy" in shown and shown.endswith("TIME_OUT_WF")


@pytest.mark.parametrize("fields", [TASK_TIMEOUT, POLL_TIMEOUT])
def test_a_timeout_of_the_policy_retry_makes_another_attempt(harness, fields):
    run = run_of(harness, step("a"), defs=defined(timeoutPolicy="RETRY", **fields))
    take(harness, started=fields is TASK_TIMEOUT)
    harness.advance(20)
    assert [task.status for task in harness.rows(run).tasks] == ["TIMED_OUT", "SCHEDULED"]
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_total_timeout_of_the_policy_retry_ends_the_run_because_nothing_is_left(harness):
    run = run_of(harness, step("a"), defs=defined(timeoutPolicy="RETRY", **TOTAL_TIMEOUT))
    take(harness)
    harness.advance(20)
    assert harness.run(run).status == "TIMED_OUT"
    assert len(harness.rows(run).tasks) == 1


@pytest.mark.parametrize("fields", [{**TASK_TIMEOUT, "responseTimeoutSeconds": 0}, POLL_TIMEOUT, TOTAL_TIMEOUT])
def test_a_timeout_that_only_alerts_changes_nothing(harness, fields):
    run = run_of(harness, step("a"), defs=defined(timeoutPolicy="ALERT_ONLY", **fields))
    taken = take(harness, started=fields is not POLL_TIMEOUT)
    harness.advance(1_000)
    assert harness.task(run, "a").status in ("SCHEDULED", "IN_PROGRESS")
    harness.publish(result_message(taken[0], {"task_id": f"{run}.1", "status": "SUCCESS", "result": {}}))
    assert harness.run(run).status == "COMPLETED"


def test_the_total_timeout_counts_over_attempts_and_delays(harness):
    task = [{"name": "a", "retryCount": 9, "retryDelaySeconds": 15, "totalTimeoutSeconds": 20}]
    run = run_of(harness, step("a"), defs=task)
    harness.work({"a": fails})
    harness.advance(20)
    assert harness.run(run).status == "TIMED_OUT"
    assert "elapsed 20 seconds" in harness.run(run).reason


def test_a_task_that_waits_for_its_delay_is_not_polled_for(harness):
    run = run_of(harness, step("a", startDelay=30), defs=defined(**POLL_TIMEOUT))
    harness.advance(49)
    assert harness.task(run, "a").status == "SCHEDULED"
    harness.advance(1)
    assert harness.run(run).status == "TIMED_OUT"


# silence


def test_a_long_backlog_times_out_nobody(harness):
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=10))
    harness.advance(100_000)
    assert harness.statuses(run) == {"a": "SCHEDULED"}
    assert len(harness.rows(run).tasks) == 1


def test_a_task_that_was_taken_and_never_heard_of_times_out(harness):
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=10))
    take(harness, started=False)
    for _ in range(5):
        seen_empty(harness)
        harness.advance(5)
    first, second = harness.rows(run).tasks
    assert first.status == "TIMED_OUT"
    assert "no worker was ever heard of" in first.reason
    assert second.status == "SCHEDULED"


def test_silence_counts_from_the_first_time_the_queue_was_seen_empty_after_the_task_was_sent(harness):
    run = run_of(
        harness, step("w", "WAIT", **inputs(duration="5s")), step("a"), defs=defined(responseTimeoutSeconds=10)
    )
    seen_empty(harness)
    harness.advance(5)
    harness.advance(11)
    assert harness.task(run, "a").attempt == 0
    take(harness, started=False)
    for _ in range(25):
        seen_empty(harness)
        harness.advance(1)
    assert harness.task(run, "a").attempt == 1


def test_an_unheard_task_without_a_response_timeout_ends_after_an_hour(harness):
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=0))
    take(harness, started=False)
    for _ in range(15):
        seen_empty(harness)
        harness.advance(600)
    assert harness.task(run, "a").attempt == 1


def test_without_a_response_timeout_a_task_that_was_heard_of_may_take_for_ever(harness):
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=0))
    take(harness)
    for _ in range(5):
        seen_empty(harness)
        harness.advance(10_000)
    assert harness.statuses(run) == {"a": "IN_PROGRESS"}


@pytest.mark.parametrize("kind", ["HTTP", "JSON_JQ_TRANSFORM", "SHIP"])
def test_a_task_without_any_definition_does_not_stay_open_for_ever_after_a_sign_of_life(harness, kind):
    queue = kind if kind == "SHIP" else f"system.{kind.lower()}"
    run = run_of(harness, step("a", kind, **inputs(http_request={"uri": "http://localhost"}, queryExpression=".")))
    taken = harness.take(queue)
    harness.publish(*[result_message(each, {"task_id": f"{run}.1", "status": "STARTED"}) for each in taken])
    harness.advance(3_599)
    assert harness.statuses(run) == {"a": "IN_PROGRESS"}
    harness.advance(1)
    assert harness.statuses(run) == {"a": "TIMED_OUT"}


# the workflow's own


def test_a_workflow_times_out_and_cancels_what_is_open(harness):
    run = run_of(harness, step("a"), timeoutSeconds=60, timeoutPolicy="TIME_OUT_WF")
    harness.advance(60)
    assert harness.run(run).status == "TIMED_OUT"
    assert harness.statuses(run) == {"a": "CANCELED"}
    assert harness.run(run).reason == (
        "Workflow timed out after 60 seconds. Timeout configured as 60 seconds. "
        "Timeout policy configured to TIME_OUT_WF"
    )


def test_a_workflow_timeout_that_only_alerts_changes_nothing(harness):
    run = run_of(harness, step("a"), timeoutSeconds=60)
    harness.advance(600)
    assert harness.run(run).status == "RUNNING"


def test_the_workflow_times_out_while_it_is_paused_too(harness):
    run = run_of(harness, step("a"), timeoutSeconds=60, timeoutPolicy="TIME_OUT_WF")
    harness.request(run, "pause")
    harness.advance(60)
    assert harness.run(run).status == "TIMED_OUT"


@pytest.mark.parametrize("verb", ["resume", "retry"])
def test_the_workflows_clock_starts_anew(harness, verb):
    run = run_of(harness, step("h", "HUMAN"), timeoutSeconds=60, timeoutPolicy="TIME_OUT_WF")
    if verb == "resume":
        harness.advance(50)
        harness.request(run, "pause")
    else:
        harness.advance(60)
    harness.request(run, verb)
    harness.advance(59)
    assert harness.run(run).status == "RUNNING"
    harness.advance(1)
    assert harness.run(run).status == "TIMED_OUT"


def test_a_timeout_that_passes_while_the_run_is_paused_is_noticed_on_resume(harness):
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=10))
    take(harness)
    harness.request(run, "pause")
    harness.advance(60)
    assert harness.task(run, "a").status == "IN_PROGRESS"
    harness.request(run, "resume")
    harness.advance(0)
    assert [task.status for task in harness.rows(run).tasks] == ["TIMED_OUT", "SCHEDULED"]


@pytest.mark.parametrize("fields", [{"responseTimeoutSeconds": 10}, {"pollTimeoutSeconds": 10}])
def test_a_delay_that_ends_while_the_run_is_paused_leaves_the_worker_all_of_its_time(harness, fields):
    run = run_of(harness, step("a", startDelay=5), defs=defined(**fields))
    harness.request(run, "pause")
    harness.advance(6)
    seen_empty(harness)
    harness.advance(1_000)
    harness.request(run, "resume")
    harness.advance(0)
    assert [task.status for task in harness.rows(run).tasks] == ["SCHEDULED"]
    seen_empty(harness)
    harness.advance(9.9)
    assert [task.status for task in harness.rows(run).tasks] == ["SCHEDULED"]
