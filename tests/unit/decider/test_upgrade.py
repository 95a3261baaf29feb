"""An open run goes on by another version of its definition (Orkes' upgrade)."""

from __future__ import annotations

import pytest

from tests.unit.decider.rows import assert_remembered_as_stored
from tests.unit.decider.steps import echo, fork, inputs, loop, run_of, step


def register(harness, *tasks, version=2, **fields):
    harness.register({"name": "flow", "version": version, "tasks": list(tasks), **fields})


def test_what_is_to_come_is_that_of_the_other_version(harness):
    run = run_of(harness, step("a"), step("b"))
    register(harness, step("a"), step("c"), step("d"))
    outcome = harness.request(run, "upgrade")
    assert outcome.result == {"version": 2, "before": 1}
    assert harness.run(run).version == 2
    assert_remembered_as_stored(harness, run)
    harness.restart_decider()
    harness.work({"a": echo, "c": echo, "d": echo})
    assert (harness.run(run).status, list(harness.statuses(run))) == ("COMPLETED", ["a", "c", "d"])


def test_what_is_in_hand_is_not_given_to_another_worker(harness):
    run = run_of(harness, step("a"))
    (mine,) = harness.take("a")
    register(harness, step("a"), step("after"))
    harness.request(run, "upgrade", version=2)
    assert harness.take("a") == []
    harness.publish(harness._result(mine, echo))
    assert harness.statuses(run) == {"a": "COMPLETED", "after": "SCHEDULED"}


def test_inside_forks_and_loops_too(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", *fork("f", [step("a")], [step("b")])))
    harness.work({"a": echo})
    register(harness, loop("l", "$.l.iteration < 3", *fork("f", [step("a"), step("c")], [step("b")])), step("after"))
    assert harness.request(run, "upgrade").granted
    assert_remembered_as_stored(harness, run)
    harness.work({"a": echo, "b": echo, "c": echo, "after": echo})
    assert harness.run(run).status == "COMPLETED"
    assert {"c__1", "c__3", "after"} <= harness.statuses(run).keys()


def test_a_paused_run_stays_paused(harness):
    run = run_of(harness, step("a"))
    harness.request(run, "pause")
    register(harness, step("a"), step("b"))
    assert harness.request(run, "upgrade").granted
    harness.work({"a": echo})
    assert harness.run(run).status == "PAUSED"
    harness.request(run, "resume")
    assert harness.statuses(run)["b"] == "SCHEDULED"


def test_the_input_may_be_another_one(harness):
    run = run_of(harness, step("a"), step("b", **inputs(x="${workflow.input.x}")))
    register(harness, step("a"), step("b", **inputs(x="${workflow.input.x}")))
    harness.request(run, "upgrade", workflowInput={"x": 2})
    harness.work({"a": echo})
    assert harness.task(run, "b").input == {"x": 2}


@pytest.mark.parametrize(
    "tasks",
    [
        [step("z"), step("a")],
        [step("a", "WAIT")],
        [step("other")],
        fork("a", [step("x")]),
    ],
    ids=["moved", "another type", "another name", "a fork"],
)
def test_what_the_run_has_come_to_must_stay_in_its_place(harness, tasks):
    run = run_of(harness, step("a"), step("b"))
    register(harness, *tasks)
    outcome = harness.request(run, "upgrade")
    assert (outcome.code, "no SIMPLE step a" in outcome.message) == (409, True)
    assert harness.run(run).version == 1
    harness.work({"a": echo, "b": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_branch_that_is_gone_is_a_misfit(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("b")]))
    register(harness, *fork("f", [step("a")]))
    assert "no SIMPLE step b" in harness.request(run, "upgrade").message


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"version": 9}, 404),
        ({"version": "2"}, 400),
        ({"version": True}, 400),
        ({"name": "another"}, 400),
        ({"workflowInput": [1]}, 400),
        ({"taskOutput": {"z": {}}}, 400),
    ],
)
def test_a_senseless_wish_is_refused(harness, arguments, code):
    run = run_of(harness, step("a"))
    assert harness.request(run, "upgrade", **arguments).code == code
    assert harness.run(run).status == "RUNNING"


def test_a_run_that_has_ended_is_restarted_instead(harness):
    run = run_of(harness, step("a"))
    harness.request(run, "terminate")
    assert harness.request(run, "upgrade").code == 409


def test_a_restart_with_the_latest_version_needs_no_step_in_its_place(harness):
    run = run_of(harness, step("a"))
    harness.work({"a": echo})
    register(harness, step("z"))
    assert harness.request(run, "restart", useLatestDefinitions=True).granted
    assert harness.statuses(run) == {"z": "SCHEDULED"}
