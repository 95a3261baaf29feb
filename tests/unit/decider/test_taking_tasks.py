"""A worker that polls has a task once the road has put it in progress for it; old messages give it nothing."""

from __future__ import annotations

from engine.testing.harness import Harness
from tests.unit.decider.steps import run_of, step


def defined(**fields):
    return [{"name": "a", "retryCount": 0, "retryDelaySeconds": 0, **fields}]


def take(harness, run, seq=1, worker="w1", **arguments):
    return harness.request(run, "take_task", taskId=f"{run}.{seq}", workerId=worker, **arguments)


def test_a_task_that_is_taken_is_in_progress_for_its_worker_and_is_shown_to_it(harness: Harness) -> None:
    run = run_of(harness, step("a", inputParameters={"who": "Ada"}), defs=defined(responseTimeoutSeconds=7))
    answer = take(harness, run)
    task = harness.task(run, "a")
    assert (task.status, task.worker, task.polls, task.started_at) == ("IN_PROGRESS", "w1", 1, harness.clock.now())
    shown = answer.result["task"]
    assert (shown["taskId"], shown["status"], shown["pollCount"], shown["workerId"]) == (
        f"{run}.1",
        "IN_PROGRESS",
        1,
        "w1",
    )
    assert (shown["responseTimeoutSeconds"], shown["taskDefinition"]["name"]) == (7, "a")
    assert (shown["workflowTask"]["name"], shown["workflowType"]) == ("a", "flow")


def test_a_task_without_a_definition_is_shown_with_the_defaults_under_its_name(harness: Harness) -> None:
    run = run_of(harness, step("undefined"))
    shown = take(harness, run).result["task"]
    defaults = shown["taskDefinition"]
    assert (defaults["name"], defaults["retryCount"], shown["responseTimeoutSeconds"]) == ("undefined", 3, 3_600)


def test_what_the_row_remembers_of_the_answer_does_not_repeat_the_task(harness: Harness) -> None:
    run = run_of(harness, step("a"), defs=defined())
    take(harness, run)
    assert "workflowTask" not in str(harness.run(run).unconfirmed)


def test_the_audit_trail_holds_what_people_ask_for_and_not_every_poll(harness: Harness) -> None:
    run = run_of(harness, step("a"), defs=defined())
    take(harness, run)
    harness.request(run, "pause")
    with harness.store.transaction() as transaction:
        assert [line.request.verb for line in transaction.requests(run)] == ["pause"]


def test_the_audit_trail_says_who_has_reported_and_leaves_the_output_to_the_task(harness: Harness) -> None:
    run = run_of(harness, step("a"), defs=defined())
    task = take(harness, run).result["task"]["taskId"]
    harness.request(run, "update_task", taskId=task, status="COMPLETED", output={"n": 1}, workerId="w1")
    with harness.store.transaction() as transaction:
        (line,) = transaction.requests(run)
    assert line.request.arguments == {"taskId": task, "status": "COMPLETED", "workerId": "w1"}
    assert harness.task(run, "a").output == {"n": 1}


def test_a_second_message_of_a_task_that_somebody_works_on_is_an_old_one(harness: Harness) -> None:
    run = run_of(harness, step("a"), defs=defined())
    take(harness, run)
    answer = take(harness, run, worker="w2")
    assert (answer.granted, answer.code) == (False, 409)
    assert (harness.task(run, "a").worker, harness.task(run, "a").polls) == ("w1", 1)


def test_a_message_that_comes_again_is_granted_because_whoever_had_it_may_be_gone(harness: Harness) -> None:
    run = run_of(harness, step("a"), defs=defined())
    take(harness, run)
    assert take(harness, run, worker="w2", redelivered=True).granted
    assert (harness.task(run, "a").worker, harness.task(run, "a").polls) == ("w2", 2)


def test_a_task_that_costs_one_worker_after_the_other_ends_its_attempt(harness: Harness) -> None:
    run = run_of(harness, step("a"), defs=defined())
    answers = [take(harness, run, redelivered=count > 0) for count in range(5)]
    assert [each.granted for each in answers] == [True, True, True, True, False]
    assert harness.task(run, "a").status == "FAILED"


def test_a_message_that_went_back_untouched_counts_as_no_loss(harness: Harness) -> None:
    run = run_of(harness, step("a"), defs=defined())
    assert take(harness, run, redelivered=True).granted
    assert harness.task(run, "a").times_begun == 1


def test_tasks_that_have_ended_or_wait_for_a_later_delivery_are_not_handed_out(harness: Harness) -> None:
    run = run_of(harness, step("a"), step("b"), defs=defined())
    take(harness, run)
    harness.request(run, "update_task", taskId=f"{run}.1", status="IN_PROGRESS", callbackAfterSeconds=30)
    assert take(harness, run, redelivered=True).code == 409
    harness.advance(30)
    assert take(harness, run).granted
    harness.request(run, "update_task", taskId=f"{run}.1", status="COMPLETED")
    assert "has ended (COMPLETED)" in take(harness, run, redelivered=True).message
    assert take(harness, run, seq=9).code == 404


def test_a_task_of_which_nothing_is_heard_after_it_was_taken_times_out(harness: Harness) -> None:
    run = run_of(harness, step("a"), defs=defined(responseTimeoutSeconds=10))
    take(harness, run)
    harness.advance(9)
    assert harness.task(run, "a").status == "IN_PROGRESS"
    harness.advance(2)
    assert harness.task(run, "a").status == "TIMED_OUT"
