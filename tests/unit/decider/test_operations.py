"""What operators and clients may ask of a run, and how they are answered (Conductor 4.8, 4.10)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import child, echo, fails, fails_for_good, fork, inputs, loop, run_of, step, switch


def announced(harness):
    """Return a connection that hears the status of every run from now on."""
    ear = harness.broker.connect()
    ear.subscribe("workflow.#", "ear")
    ear.consume("ear", 100)
    return lambda: [each.message.queue.split(".")[1] for each in ear.receive(100, 0)]


# pause and resume


def test_a_paused_run_schedules_nothing_and_goes_on_when_it_is_resumed(harness):
    run = run_of(harness, step("a"), step("b"))
    assert harness.request(run, "pause").granted
    harness.work({"a": echo})
    assert (harness.run(run).status, harness.statuses(run)) == ("PAUSED", {"a": "COMPLETED"})
    harness.restart_decider()
    assert harness.request(run, "resume").granted
    assert harness.statuses(run) == {"a": "COMPLETED", "b": "SCHEDULED"}


def test_everything_that_ended_meanwhile_is_picked_up(harness):
    body = switch("s", {"x": [step("c")]})
    tasks = [*fork("f", [step("a")], [loop("l", "$.l.iteration < 2", step("b"))], [body]), step("after")]
    run = run_of(harness, *tasks, given={"way": "x"})
    harness.request(run, "pause")
    harness.work({"a": echo, "b": echo, "c": echo})
    harness.request(run, "resume")
    assert "b__2" in harness.statuses(run)
    harness.work({"b": echo})
    assert harness.task(run, "after").status == "SCHEDULED"


def test_a_failure_in_a_paused_run_is_drawn_on_resume(harness):
    run = run_of(harness, step("a", retryCount=0))
    harness.request(run, "pause")
    harness.work({"a": fails})
    assert harness.run(run).status == "PAUSED"
    harness.request(run, "resume")
    assert harness.run(run).status == "FAILED"


def test_a_child_that_ends_while_its_parent_is_paused_is_not_lost(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    run = run_of(harness, child("c", "kid"), step("after"))
    harness.request(run, "pause")
    harness.work({"k": echo})
    harness.request(run, "resume")
    assert harness.statuses(run) == {"c": "COMPLETED", "after": "SCHEDULED"}


@pytest.mark.parametrize(("verb", "code"), [("pause", 200), ("resume", 409)])
def test_pausing_twice_is_fine_and_resuming_a_running_one_is_not(harness, verb, code):
    run = run_of(harness, step("a"))
    if verb == "pause":
        harness.request(run, "pause")
    assert harness.request(run, verb).code == code


@pytest.mark.parametrize("verb", ["pause", "resume", "signal", "terminate"])
def test_a_completed_run_is_past_all_that(harness, verb):
    run = run_of(harness, step("n", "NOOP"))
    assert harness.request(run, verb).code == 409
    assert harness.run(run).status == "COMPLETED"


def test_every_change_of_status_is_announced(harness):
    heard = announced(harness)
    run = run_of(harness, step("a"))
    for verb in ("pause", "resume", "terminate", "retry"):
        harness.request(run, verb)
    harness.work({"a": echo})
    assert heard() == ["running", "paused", "running", "terminated", "running", "completed"]


# terminate


def test_a_terminated_run_keeps_the_reason_and_revokes_what_is_queued(harness):
    run = run_of(harness, step("a"), step("b"))
    assert harness.request(run, "terminate", reason="enough").granted
    assert (harness.run(run).status, harness.run(run).reason) == ("TERMINATED", "enough")
    assert harness.statuses(run) == {"a": "CANCELED"}
    assert harness.request(run, "terminate", reason="again").granted
    assert harness.run(run).reason == "enough"


def test_a_result_that_comes_after_the_end_changes_nothing(harness):
    run = run_of(harness, step("a"), step("b"))
    harness.request(run, "terminate")
    harness.work({"a": echo})
    assert harness.statuses(run) == {"a": "CANCELED"}
    assert harness.executor.counts.dropped == 1


def test_a_failed_run_may_be_terminated(harness):
    run = run_of(harness, step("a"))
    harness.work({"a": fails_for_good})
    assert harness.request(run, "terminate", reason={"odd": 1}).granted
    assert (harness.run(run).status, harness.run(run).reason) == ("TERMINATED", "{'odd': 1}")


# retry


def test_a_failed_run_goes_on_from_where_it_failed(harness):
    run = run_of(harness, step("a"), step("b", retryCount=0), step("c"))
    harness.work({"a": echo, "b": fails})
    harness.restart_decider()
    assert harness.request(run, "retry").granted
    assert (harness.run(run).status, harness.run(run).reason) == ("RUNNING", None)
    assert harness.task(run, "b").attempt == 1
    assert harness.work({"a": echo, "b": echo, "c": echo}) == 2
    assert harness.run(run).status == "COMPLETED"


def test_joins_and_loops_are_reopened_where_they_stand(harness):
    body = fork("f", [step("a")], [step("b", retryCount=0)])
    run = run_of(harness, loop("l", "$.l.iteration < 2", *body))
    harness.work({"b": fails})
    before = harness.statuses(run)
    assert (before["l"], before["f_join__1"], before["a__1"]) == ("CANCELED", "CANCELED", "CANCELED")
    harness.request(run, "retry")
    assert harness.task(run, "f_join__1").seq == 5
    harness.restart_decider()
    harness.work({"a": echo, "b": echo})
    assert harness.run(run).status == "COMPLETED"
    assert len([task for task in harness.rows(run).tasks if task.type == "JOIN"]) == 2


def test_a_loop_whose_condition_failed_evaluates_it_again(harness):
    run = run_of(harness, loop("l", "$.b.v.length > 5", step("b")))
    harness.work({"b": echo})
    assert harness.task(run, "l").status == "FAILED_WITH_TERMINAL_ERROR"
    assert harness.request(run, "retry").granted
    assert harness.task(run, "l").status == "FAILED_WITH_TERMINAL_ERROR"
    assert harness.run(run).status == "FAILED"


def test_children_are_started_anew(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    run = run_of(harness, child("c", "kid"))
    first = harness.task(run, "c").child_id
    harness.work({"k": fails_for_good})
    harness.request(run, "retry")
    assert harness.task(run, "c").child_id != first
    harness.work({"k": echo})
    assert harness.run(run).status == "COMPLETED"


def test_cancelled_waits_wait_again(harness):
    run = run_of(harness, *fork("f", [step("w", "WAIT", **inputs(duration="10s"))], [step("a")]))
    harness.work({"a": fails_for_good})
    harness.advance(100)
    harness.request(run, "retry")
    harness.work({"a": echo})
    harness.advance(9)
    assert harness.task(run, "w").status == "IN_PROGRESS"
    harness.advance(1)
    assert harness.run(run).status == "COMPLETED"


def test_a_terminated_or_timed_out_run_may_be_retried(harness):
    run = run_of(harness, step("a"), timeoutSeconds=5, timeoutPolicy="TIME_OUT_WF")
    harness.advance(5)
    harness.request(run, "retry")
    harness.request(run, "terminate")
    harness.request(run, "retry")
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_permissive_failures_are_tried_again_and_what_was_done_behind_them_is_not(harness):
    tasks = [step(ref, permissive=True, retryCount=0) for ref in "ab"]
    run = run_of(harness, *tasks, step("c"))
    harness.work({"a": fails, "b": fails, "c": echo})
    harness.restart_decider()
    assert harness.request(run, "retry").granted
    harness.work({"b": echo, "c": fails})
    assert harness.run(run).status == "RUNNING"
    harness.restart_decider()
    harness.work({"a": echo, "c": fails})
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize(("permissive", "status"), [(True, "FAILED"), (False, "CANCELED")])
def test_a_join_that_is_reopened_keeps_its_row(harness, permissive, status):
    run = run_of(harness, *fork("f", [step("a", permissive=permissive, retryCount=0)], [step("b")]))
    harness.work({"b": echo, "a": fails})
    before = harness.task(run, "f_join")
    assert (before.status, before.attempt) == (status, 0)
    assert harness.request(run, "retry").granted
    after = harness.task(run, "f_join")
    assert (after.status, after.id, after.attempt) == ("IN_PROGRESS", before.id, 0)


def test_a_permissive_failure_inside_a_branch_or_a_case_is_tried_again_too(harness):
    loose = step("a", permissive=True, retryCount=0)
    inner = [switch("s", {"x": [loose]}), step("b")]
    run = run_of(harness, *fork("f", inner, join_on=["b"]), step("after"), given={"way": "x"})
    harness.work({"a": fails, "b": echo, "after": echo})
    assert harness.run(run).status == "FAILED"
    assert harness.request(run, "retry").granted
    harness.restart_decider()
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_permissive_failure_in_an_iteration_that_was_left_is_past(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", step("a", permissive=True, retryCount=0)))
    harness.work({"a": fails})
    assert harness.run(run).status == "FAILED"
    assert harness.request(run, "retry").code == 409


@pytest.mark.parametrize(("end", "code"), [(None, 404), ("pause", 404), ("COMPLETED", 409)])
def test_there_must_be_something_to_retry(harness, end, code):
    run = run_of(harness, step("a"))
    if end == "pause":
        harness.request(run, "pause")
    elif end:
        harness.work({"a": echo})
    assert harness.request(run, "retry").code == code


def test_a_run_that_was_completed_beside_open_tasks_has_nothing_to_retry(harness):
    end = step("end", "TERMINATE", inputParameters={"terminationStatus": "COMPLETED"})
    run = run_of(harness, *fork("f", [step("a")], [end]))
    assert harness.statuses(run)["a"] == "CANCELED"
    outcome = harness.request(run, "retry")
    assert (outcome.code, outcome.message) == (409, f"Workflow {run} is COMPLETED and no task of it can be retried.")


# update_task and signal


def test_a_report_by_reference_is_merged_over_the_output_there_is(harness):
    run = run_of(harness, step("h", "HUMAN"))
    harness.request(run, "update_task", ref="h", status="IN_PROGRESS", output={"a": 1})
    assert harness.task(run, "h").output == {"a": 1}
    answer = harness.request(run, "update_task", ref="h", status="COMPLETED", output={"b": 2})
    assert answer.result == {"taskId": f"{run}.1", "applied": True}
    assert harness.task(run, "h").output == {"a": 1, "b": 2}


def test_a_report_by_id_replaces_the_output(harness):
    run = run_of(harness, step("h", "HUMAN"))
    harness.request(run, "update_task", taskId=f"{run}.1", status="IN_PROGRESS", output={"a": 1})
    harness.request(run, "update_task", taskId=f"{run}.1", status="COMPLETED", output={"b": 2}, reason="x" * 900)
    assert harness.task(run, "h").output == {"b": 2}
    assert len(harness.task(run, "h").reason) == 500


def test_a_report_on_a_closed_task_is_granted_and_changes_nothing(harness):
    run = run_of(harness, step("a"), step("b"))
    harness.work({"a": lambda _: {"v": 1}})
    answer = harness.request(run, "update_task", taskId=f"{run}.1", status="FAILED")
    assert (answer.granted, answer.result["applied"]) == (True, False)
    assert harness.task(run, "a").output == {"v": 1}


def test_a_worker_may_give_a_task_back_for_a_while(harness):
    run = run_of(harness, step("a"))
    harness.take("a")
    harness.request(run, "update_task", ref="a", status="IN_PROGRESS", callbackAfterSeconds=30)
    assert harness.task(run, "a").status == "SCHEDULED"
    harness.advance(29)
    assert harness.take("a") == []
    harness.advance(1)
    assert len(harness.take("a")) == 1
    harness.request(run, "update_task", ref="a", status="IN_PROGRESS")
    assert len(harness.take("a")) == 1


def test_extending_the_lease_changes_nothing_but_the_time(harness):
    run = run_of(harness, step("a"), defs=[{"name": "a", "responseTimeoutSeconds": 10}])
    harness.request(run, "update_task", ref="a", status="IN_PROGRESS", extendLease=True, output={"never": 1})
    harness.advance(9)
    harness.request(run, "update_task", ref="a", status="COMPLETED", extendLease=True)
    harness.advance(9)
    assert (harness.task(run, "a").status, harness.task(run, "a").output) == ("IN_PROGRESS", {})


def test_a_loops_step_may_be_named_without_its_iteration(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", step("b")))
    for ref in ("b", "b__2"):
        assert harness.request(run, "update_task", ref=ref, status="COMPLETED").granted
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize("ref", ["l", "f_join__1"])
def test_loops_and_joins_take_no_reports(harness, ref):
    run = run_of(harness, loop("l", "false", *fork("f", [step("a")])))
    assert harness.request(run, "update_task", ref=ref, status="COMPLETED").code == 409
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize("verb", ["update_task", "signal"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "DONE"},
        {"status": "SKIPPED"},
        {"status": 7},
        {"status": "COMPLETED", "output": [1]},
        {"status": "IN_PROGRESS", "callbackAfterSeconds": "soon"},
        {"status": "IN_PROGRESS", "callbackAfterSeconds": -1},
        {"status": "IN_PROGRESS", "callbackAfterSeconds": 10**12},
    ],
)
def test_a_report_of_the_wrong_shape_is_refused_and_the_run_goes_on(harness, verb, wrong):
    run = run_of(harness, step("h", "HUMAN"))
    assert harness.request(run, verb, ref="h", **wrong).code == 400
    assert harness.run(run).status == "RUNNING"


@pytest.mark.parametrize(
    "wanted", [{"ref": "nobody"}, {"taskId": "other.1"}, {"taskId": "run-1.99"}, {"taskId": 7}, {}]
)
def test_a_report_on_nothing_is_refused(harness, wanted):
    run = run_of(harness, step("h", "HUMAN"))
    assert harness.request(run, "update_task", status="COMPLETED", **wanted).code == 404


def test_a_signal_reaches_the_first_task_that_waits_for_one(harness):
    run = run_of(harness, step("a"), step("w", "WAIT"), step("h", "HUMAN"))
    assert harness.request(run, "signal").code == 404
    harness.work({"a": echo})
    assert harness.request(run, "signal", ref="h").code == 404
    assert harness.request(run, "signal").result["referenceTaskName"] == "w"
    assert harness.request(run, "signal", ref="h").granted
    assert harness.run(run).status == "COMPLETED"


def test_an_unknown_request_is_refused_with_those_that_there_are(harness):
    answer = harness.request(run_of(harness, step("a")), "explode")
    assert answer.code == 400
    assert "pause" in answer.message and "retry" in answer.message
