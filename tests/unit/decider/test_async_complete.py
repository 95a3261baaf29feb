"""System tasks with ``asyncComplete``: their worker's success leaves them open, somebody else completes them."""

from __future__ import annotations

from engine.testing.harness import result_message
from tests.unit.decider.steps import echo, fails, inputs, run_of, step

_CALL = inputs(http_request={"uri": "http://localhost/", "method": "GET"})


def test_the_workers_success_leaves_the_task_open_and_a_report_completes_it(harness):
    run = run_of(harness, step("call", "HTTP", asyncComplete=True, **_CALL))
    harness.work({"system.http": echo})
    assert harness.statuses(run) == {"call": "IN_PROGRESS"}
    answer = harness.request(run, "update_task", taskId=f"{run}.1", status="COMPLETED", output={"b": 2})
    assert answer.granted
    assert (harness.run(run).status, harness.task(run, "call").output) == ("COMPLETED", {"b": 2})


def test_the_workers_failure_is_one_and_a_report_may_be_one(harness):
    run = run_of(harness, step("call", "HTTP", asyncComplete=True, **_CALL))
    harness.work({"system.http": fails})
    assert harness.run(run).status == "FAILED"
    other = harness.start("flow")
    harness.work({"system.http": echo})
    harness.request(other, "update_task", taskId=f"{other}.1", status="FAILED", reason="nobody called back")
    assert harness.run(other).status == "FAILED"


def test_a_workers_answer_that_comes_twice_does_not_complete_it(harness):
    run = run_of(harness, step("call", "HTTP", asyncComplete=True, **_CALL))
    [delivery] = harness.take("system.http")
    for status in ("SUCCESS", "SUCCESS", "FAILURE"):
        said = {"task_id": f"{run}.1", "status": status, "result": {"a": 1}, "traceback": None}
        harness.publish(result_message(delivery, said))
    assert (harness.statuses(run), harness.task(run, "call").output) == ({"call": "IN_PROGRESS"}, {"a": 1})


def test_it_is_in_other_hands_even_where_it_was_to_be_handed_out_again(harness):
    run = run_of(harness, step("call", "HTTP", asyncComplete=True, **_CALL))
    [delivery] = harness.take("system.http")
    harness.request(run, "update_task", taskId=f"{run}.1", status="IN_PROGRESS", callbackAfterSeconds=7)
    said = {"task_id": f"{run}.1", "status": "SUCCESS", "result": {"a": 1}, "traceback": None}
    harness.publish(result_message(delivery, said))
    task = harness.task(run, "call")
    assert (task.status, task.dispatched, task.queue) == ("IN_PROGRESS", True, "")
    harness.advance(30)
    assert harness.take("system.http") == []
