"""A run that is restarted begins anew; what it was can still be read (Conductor 4.10)."""

from __future__ import annotations

import pytest

from engine.model.execution import NEVER
from tests.unit.decider.rows import assert_remembered_as_stored
from tests.unit.decider.steps import child, echo, fails, fails_for_good, fork, inputs, loop, run_of, step


def earlier(harness, run):
    with harness.store.transaction() as transaction:
        return transaction.earlier_rounds(run)


def test_a_run_begins_anew_under_its_id(harness):
    run = run_of(harness, step("a"), step("b", retryCount=0), given={"n": 1})
    harness.work({"a": echo, "b": fails})
    harness.advance(60)
    assert harness.request(run, "restart").granted
    record = harness.run(run)
    assert (record.status, record.input, record.output, record.reason) == ("RUNNING", {"n": 1}, {}, None)
    assert (record.created_at, record.ended_at, record.last_retried_at) == (harness.clock.now(), NEVER, NEVER)
    assert (record.failed_refs, record.failed_names, record.failed_task_id) == ((), (), None)
    assert [(task.seq, task.ref, task.status.value) for task in harness.rows(run).tasks] == [(3, "a", "SCHEDULED")]
    assert_remembered_as_stored(harness, run)
    harness.work({"a": echo, "b": echo})
    assert harness.run(run).status == "COMPLETED"


def test_what_a_run_was_can_still_be_read(harness):
    run = run_of(harness, step("a"), step("b", retryCount=0))
    harness.work({"a": lambda _: {"v": 1}, "b": fails})
    harness.request(run, "restart")
    harness.work({"a": echo, "b": echo})
    harness.request(run, "restart")
    first, second = earlier(harness, run)
    assert (first.workflow.status, first.workflow.failed_refs) == ("FAILED", ("b",))
    assert next((task.ref, task.status.value, task.output) for task in first.tasks) == ("a", "COMPLETED", {"v": 1})
    assert (second.workflow.status, [task.seq for task in second.tasks]) == ("COMPLETED", [3, 4])
    assert first.number < second.number


def test_a_result_of_an_earlier_round_is_dropped_and_counted(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("b")]))
    (late,) = harness.take("a")
    harness.work({"b": fails_for_good})
    harness.request(run, "restart")
    dropped = harness.executor.counts.dropped
    harness.publish(harness._result(late, echo))
    assert harness.executor.counts.dropped == dropped + 1
    assert harness.task(run, "a").status == "SCHEDULED"


@pytest.mark.parametrize("paused", [False, True])
def test_an_open_run_is_not_restarted(harness, paused):
    run = run_of(harness, step("a"))
    if paused:
        harness.request(run, "pause")
    outcome = harness.request(run, "restart")
    assert (outcome.code, outcome.message) == (409, f"Workflow: {run} is not in terminal state, unable to restart.")


def test_a_completed_run_whose_definition_forbids_it_is_not_restarted(harness):
    run = run_of(harness, step("a"), restartable=False)
    harness.work({"a": fails_for_good})
    assert harness.request(run, "restart").granted
    harness.work({"a": echo})
    assert harness.request(run, "restart").code == 404


def test_the_latest_definition_is_used_only_when_asked_for(harness):
    run = run_of(harness, step("a"))
    harness.work({"a": echo})
    harness.register({"name": "flow", "version": 2, "tasks": [step("z")]})
    harness.request(run, "restart")
    assert (harness.run(run).version, harness.statuses(run)) == (1, {"a": "SCHEDULED"})
    harness.work({"a": echo})
    assert harness.request(run, "restart", useLatestDefinitions=True).granted
    assert (harness.run(run).version, harness.statuses(run)) == (2, {"z": "SCHEDULED"})
    harness.restart_decider()
    harness.work({"z": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_definition_that_is_registered_no_more_cannot_be_used(harness):
    run = run_of(harness, step("a"))
    harness.work({"a": echo})
    with harness.store.transaction() as transaction:
        transaction.unregister_workflow("flow", 1)
    outcome = harness.request(run, "restart", useLatestDefinitions=True)
    assert (outcome.code, "No such workflow defined" in outcome.message) == (404, True)
    assert harness.run(run).status == "COMPLETED"


def test_variables_stay(harness):
    run = run_of(harness, step("s", "SET_VARIABLE", **inputs(v=1)), variables={"w": 2})
    harness.request(run, "restart")
    assert harness.run(run).variables == {"w": 2, "v": 1}


def test_the_timeout_of_a_run_counts_anew(harness):
    run = run_of(harness, step("a"), timeoutSeconds=10, timeoutPolicy="TIME_OUT_WF")
    harness.advance(10)
    assert harness.run(run).status == "TIMED_OUT"
    harness.request(run, "restart")
    harness.advance(9)
    assert harness.run(run).status == "RUNNING"
    harness.advance(1)
    assert harness.run(run).status == "TIMED_OUT"


def test_loops_and_forks_begin_anew(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", *fork("f", [step("a")], [step("b")])), step("after"))
    harness.work({"a": echo, "b": echo, "after": fails_for_good})
    harness.request(run, "restart")
    assert_remembered_as_stored(harness, run)
    harness.work({"a": echo, "b": echo, "after": echo})
    assert harness.run(run).status == "COMPLETED"
    assert len(earlier(harness, run)[0].tasks) == 10


def test_slots_that_were_held_are_free(harness):
    run = run_of(harness, step("a"), defs=[{"name": "a", "concurrentExecLimit": 1}])
    harness.request(run, "terminate")
    harness.request(run, "restart")
    assert len(harness.take("a")) == 2


# families


def family(harness, *behind):
    harness.register({"name": "kid", "tasks": [step("k"), step("m")]})
    run = run_of(harness, child("c", "kid"), *behind)
    return run, harness.task(run, "c").child_id


def test_a_run_that_is_restarted_starts_its_children_anew(harness):
    run, first = family(harness)
    harness.work({"k": fails_for_good})
    harness.request(run, "restart")
    assert harness.task(run, "c").child_id != first
    harness.work({"k": echo, "m": echo})
    assert harness.run(run).status == "COMPLETED"
    assert harness.run(first).status == "FAILED"


def test_the_runs_above_wait_for_a_child_that_is_restarted(harness):
    run, kid = family(harness)
    harness.work({"k": fails_for_good})
    assert harness.request(kid, "restart").granted
    assert (harness.run(run).status, harness.task(run, "c").status) == ("RUNNING", "IN_PROGRESS")
    assert_remembered_as_stored(harness, run)
    harness.work({"k": echo, "m": echo})
    assert (harness.run(kid).status, harness.run(run).status) == ("COMPLETED", "COMPLETED")


def test_a_parent_that_has_completed_waits_again_and_does_not_repeat_what_came_behind(harness):
    run, kid = family(harness, step("after"))
    harness.work({"k": echo, "m": echo, "after": echo})
    assert harness.run(run).status == "COMPLETED"
    harness.request(kid, "restart")
    assert harness.run(run).status == "RUNNING"
    harness.restart_decider()
    harness.work({"k": echo, "m": lambda _: {"second": True}, "after": fails_for_good})
    assert harness.run(run).status == "COMPLETED"
    assert harness.task(run, "c").output["second"] is True


def test_each_restart_of_a_child_wakes_its_parent(harness):
    run, kid = family(harness)
    for _ in range(3):
        harness.work({"k": fails_for_good})
        assert harness.run(run).status == "FAILED"
        harness.advance(1)
        harness.request(kid, "restart")
        assert harness.run(run).status == "RUNNING"


def test_a_child_that_completes_at_once_when_it_is_restarted_is_heard_of(harness):
    harness.register({"name": "kid", "tasks": [step("s", "SWITCH", evaluatorType="value-param", expression="x",
                      **inputs(x="${workflow.variables.x}"), decisionCases={"y": [step("n", "NOOP")]},
                      defaultCase=[step("end", "TERMINATE", **inputs(terminationStatus="FAILED"))])]})  # fmt: skip
    run = run_of(harness, child("c", "kid"))
    kid = harness.task(run, "c").child_id
    assert harness.run(run).status == "FAILED"
    harness.register({"name": "kid", "tasks": [step("n", "NOOP")]})
    harness.request(kid, "restart", useLatestDefinitions=True)
    assert (harness.run(kid).status, harness.run(run).status) == ("COMPLETED", "COMPLETED")


def test_a_child_whose_parent_has_gone_on_without_it_runs_for_itself(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    run = run_of(harness, child("c", "kid", optional=True), step("after"))
    kid = harness.task(run, "c").child_id
    harness.work({"k": fails_for_good, "after": echo})
    harness.request(kid, "restart")
    assert (harness.run(run).status, harness.task(run, "c").status) == ("COMPLETED", "COMPLETED_WITH_ERRORS")
    harness.work({"k": echo})
    assert harness.run(kid).status == "COMPLETED"


def test_the_news_of_a_child_that_nobody_wants_any_more_ends_it(harness):
    from engine.model.event import ChildStarted
    from engine.wire.request_message import encode_child_started

    run, kid = family(harness)
    harness.request(run, "terminate")
    harness.request(run, "restart")
    harness.request(kid, "restart")
    assert harness.run(kid).status == "RUNNING"
    news = ChildStarted(event_id="late", workflow_id=run, seq=1, child_id=kid)
    harness.publish(encode_child_started(news, 1))
    assert harness.run(kid).status == "TERMINATED"
