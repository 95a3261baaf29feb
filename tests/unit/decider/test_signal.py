"""A signal ends the first task that waits for one, also in the runs below (Conductor 4.8), and YIELD (Orkes)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import child, fork, inputs, loop, run_of, step
from tests.unit.road.line import Line


def register(harness, *definitions):
    for name, *steps in definitions:
        harness.register({"name": name, "tasks": steps})


def only_child(harness, run, ref="c"):
    return harness.task(run, ref).child_id


def test_it_goes_down_to_the_run_that_waits_and_the_answer_comes_back_to_whoever_asked(harness):
    register(harness, ("inner", step("w", "WAIT")), ("middle", child("m", "inner")))
    run = run_of(harness, child("c", "middle"))
    inner = only_child(harness, only_child(harness, run), "m")
    outcome = harness.request(run, "signal", output={"by": "Ada"})
    assert outcome.granted
    assert outcome.result == {"workflowId": inner, "taskId": f"{inner}.1", "referenceTaskName": "w"}
    assert harness.task(inner, "w").output == {"by": "Ada"}
    assert harness.run(run).status == "COMPLETED"


def test_tasks_are_looked_through_in_their_order_and_a_childs_come_before_the_next_ones(harness):
    register(harness, ("inner", step("w", "WAIT")))
    run = run_of(harness, *fork("f", [child("c", "inner")], [step("own", "WAIT")], [child("d", "inner")]))
    told = [harness.request(run, "signal").result["workflowId"] for _ in range(3)]
    assert told == [only_child(harness, run, "c"), run, only_child(harness, run, "d")]
    assert harness.run(run).status == "COMPLETED"


def test_it_comes_back_from_children_that_do_not_wait_and_goes_on(harness):
    register(harness, ("busy", step("work")), ("deep", child("m", "busy")))
    run = run_of(harness, *fork("f", [child("a", "busy")], [child("b", "deep")], [step("own", "WAIT")]))
    outcome = harness.request(run, "signal")
    assert (outcome.granted, outcome.result["referenceTaskName"]) == (True, "own")


def test_where_nobody_waits_at_all_that_is_the_answer(harness):
    register(harness, ("busy", step("work")))
    run = run_of(harness, *fork("f", [child("a", "busy")], [child("b", "busy")]))
    outcome = harness.request(run, "signal")
    assert (outcome.granted, outcome.code) == (False, 404)
    assert run in outcome.message


def test_a_child_that_is_gone_is_passed_by(harness):
    register(harness, ("inner", step("w", "WAIT")))
    run = run_of(harness, *fork("f", [child("c", "inner")], [step("own", "WAIT")]))
    harness.store._tables.workflows.pop(only_child(harness, run))
    assert harness.request(run, "signal").result["referenceTaskName"] == "own"
    assert harness.executor.counts.unknown == 1


def test_a_reference_is_for_the_run_itself(harness):
    register(harness, ("inner", step("w", "WAIT")))
    run = run_of(harness, child("c", "inner"))
    assert harness.request(run, "signal", ref="w").code == 404


def test_each_of_two_signals_ends_one_task_though_every_message_may_be_lost_once(harness):
    register(harness, ("inner", step("w1", "WAIT"), step("w2", "WAIT"), step("w3", "WAIT")))
    run = run_of(harness, child("c", "inner"))
    inner = only_child(harness, run)
    line = Line(harness)
    for lost in range(3):
        with line.cut(after=lost):
            assert harness.request(run, "signal", output={"n": lost}).granted
        assert sum(status == "COMPLETED" for status in harness.statuses(inner).values()) == lost + 1
    assert harness.run(run).status == "COMPLETED"


def test_a_yield_waits_for_its_signal(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", step("y", "YIELD")), step("after"))
    harness.advance(1_000_000)
    harness.restart_decider()
    for _ in range(2):
        assert harness.request(run, "signal", output={"go": True}).granted
    assert harness.task(run, "y__2").output == {"go": True}
    assert "after" in harness.statuses(run)


def test_a_yield_that_is_failed_fails_the_run(harness):
    run = run_of(harness, step("y", "YIELD"))
    harness.request(run, "signal", status="FAILED", reason="declined")
    assert (harness.run(run).status, harness.task(run, "y").reason) == ("FAILED", "declined")


@pytest.mark.parametrize(("given", "shown"), [({"duration": "90s"}, 90), ({}, 2_147_483_647)])
def test_a_wait_shows_how_long_it_lasts(harness, given, shown):
    run = run_of(harness, step("w", "WAIT", **inputs(**given)))
    assert harness.task(run, "w").callback_after_seconds == shown
