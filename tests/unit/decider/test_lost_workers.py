"""A task that costs one worker after the other ends its attempt, however little the broker says about it."""

from __future__ import annotations

from engine.testing.harness import result_message
from tests.unit.decider.steps import run_of, step


def defined(**fields):
    return [{"name": "a", "retryCount": 0, "retryDelaySeconds": 0, "responseTimeoutSeconds": 0, **fields}]


def ask(harness, run, seq=1, worker="celery@box"):
    return harness.request(run, "take_again", taskId=f"{run}.{seq}", workerId=worker)


def test_a_redelivered_task_may_be_begun_again_a_few_times_and_then_fails_with_the_reason(harness):
    run = run_of(harness, step("a"), defs=defined())
    harness.take("a")
    answers = [ask(harness, run) for _ in range(4)]
    assert [each.granted for each in answers] == [True, True, True, False]
    assert [each.result.get("timesBegun") for each in answers] == [2, 3, 4, None]
    assert answers[-1].code == 409
    task = harness.task(run, "a")
    assert (task.status, harness.run(run).status) == ("FAILED", "FAILED")
    assert "4 workers in a row were lost with the task" in task.reason
    assert "celery@box" in task.reason


def test_the_next_attempt_counts_anew_and_the_old_message_is_not_to_be_run(harness):
    run = run_of(harness, step("a"), defs=defined(retryCount=1))
    harness.take("a")
    for _ in range(4):
        ask(harness, run)
    assert [task.status for task in harness.rows(run).tasks] == ["FAILED", "SCHEDULED"]
    assert not ask(harness, run).granted
    harness.take("a")
    assert ask(harness, run, seq=2).result["timesBegun"] == 2


def test_a_worker_that_reports_starts_by_itself_is_counted_too(harness):
    run = run_of(harness, step("a"), defs=defined())
    (taken,) = harness.take("a")
    for pid in range(4):
        body = {"task_id": f"{run}.1", "status": "STARTED", "result": {"pid": pid}}
        harness.publish(result_message(taken, body))
        assert harness.statuses(run) == {"a": "IN_PROGRESS"}
    harness.publish(result_message(taken, {"task_id": f"{run}.1", "status": "STARTED", "result": {"pid": 99}}))
    assert harness.statuses(run) == {"a": "FAILED"}


def test_runs_that_the_task_itself_has_asked_for_are_no_losses(harness):
    run = run_of(harness, step("a"), defs=defined())
    (taken,) = harness.take("a")
    for pid in range(10):
        for status in ("STARTED", "RETRY"):
            harness.publish(result_message(taken, {"task_id": f"{run}.1", "status": status, "result": {"pid": pid}}))
    assert harness.statuses(run) == {"a": "IN_PROGRESS"}
    assert harness.task(run, "a").times_begun == 0


def test_a_task_that_has_ended_is_not_begun_again(harness):
    run = run_of(harness, step("a"), defs=defined())
    harness.work({"a": lambda _: {}})
    answer = ask(harness, run)
    assert (answer.granted, answer.code) == (False, 409)
    assert "has ended (COMPLETED)" in answer.message


def test_a_worker_that_asks_about_a_strange_task_is_told_so(harness):
    run = run_of(harness, step("a"), defs=defined())
    assert ask(harness, run, seq=7).code == 404
    assert harness.request(run, "take_again", taskId="other.1").code == 404
    assert harness.request("nobody", "take_again", taskId="nobody.1").code == 404


def test_asking_tells_the_engine_that_somebody_works_on_the_task(harness):
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=10))
    harness.take("a")
    harness.advance(5)
    ask(harness, run)
    task = harness.task(run, "a")
    assert (task.status, task.worker, task.started_at) == ("IN_PROGRESS", "celery@box", harness.clock.now())


def test_a_worker_that_asks_is_not_counted_by_its_signs_of_life_as_well(harness):
    run = run_of(harness, step("a"), defs=defined())
    (taken,) = harness.take("a")
    for pid in range(10):
        body = {"task_id": f"{run}.1", "status": "STARTED", "result": {"pid": pid}, "asks": True}
        harness.publish(result_message(taken, body))
    assert harness.task(run, "a").times_begun == 0


def test_who_has_an_old_message_of_a_task_that_is_to_come_later_does_not_hold_it_up(harness):
    run = run_of(harness, step("a"), defs=defined())
    harness.take("a")
    harness.request(run, "update_task", taskId=f"{run}.1", status="IN_PROGRESS", callbackAfterSeconds=30)
    answer = ask(harness, run)
    assert (answer.granted, answer.code) == (False, 409)
    assert "handed out again later" in answer.message
    harness.advance(30)
    assert len(harness.take("a")) == 1
