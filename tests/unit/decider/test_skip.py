"""A step that the flow has not come to is passed over when it does (Conductor 4.10)."""

from __future__ import annotations

import pytest

from engine.decider.execution import restore
from tests.unit.decider.rows import assert_remembered_as_stored
from tests.unit.decider.steps import child, echo, fork, inputs, loop, run_of, step, switch


def skipped(harness, run):
    return [task.ref for task in harness.rows(run).tasks if task.status == "SKIPPED"]


def test_a_step_is_passed_over_with_the_input_and_output_that_were_given(harness):
    run = run_of(harness, step("a"), step("b"), step("c", **inputs(x="${b.output.x}")))
    assert harness.request(run, "skip_task", ref="b", taskInput={"i": 1}, taskOutput={"x": 2}).granted
    harness.restart_decider()
    harness.work({"a": echo})
    there = harness.task(run, "b")
    assert (there.status, there.input, there.output, there.seq) == ("SKIPPED", {"i": 1}, {"x": 2}, 2)
    assert harness.task(run, "c").input == {"x": 2}
    assert_remembered_as_stored(harness, run)
    harness.work({"c": echo})
    assert (harness.run(run).status, harness.run(run).skips) == ("COMPLETED", {})


@pytest.mark.parametrize(
    "tasks",
    [
        [child("s", "nobody")],
        [step("s", "WAIT")],
        [loop("s", "true", step("x"))],
        [switch("s", {"y": []}, [step("x")])],
        [step("s", "TERMINATE", **inputs(terminationStatus="FAILED"))],
    ],
    ids=["child", "wait", "loop", "switch", "end"],
)
def test_every_type_can_be_passed_over(harness, tasks):
    run = run_of(harness, step("a"), *tasks, step("after"))
    harness.request(run, "skip_task", ref="s")
    harness.work({"a": echo})
    assert_remembered_as_stored(harness, run)
    harness.work({"after": echo})
    assert harness.run(run).status == "COMPLETED"
    assert "x" not in harness.statuses(run)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_fork_is_passed_over_with_all_its_branches(harness, fresh):
    run = run_of(harness, step("a"), *fork("s", [step("x")], [step("y")]), step("after"))
    harness.request(run, "skip_task", ref="s")
    if fresh:
        harness.restart_decider()
    harness.work({"a": echo})
    assert harness.statuses(run) == {"a": "COMPLETED", "s": "SKIPPED", "s_join": "COMPLETED", "after": "SCHEDULED"}


def test_a_dynamic_fork_and_a_join_are_passed_over(harness):
    dynamic = step("s", "FORK_JOIN_DYNAMIC", dynamicForkTasksParam="l", dynamicForkTasksInputParamName="i")
    run = run_of(harness, step("a"), dynamic, step("j", "JOIN"), step("after"))
    harness.request(run, "skip_task", ref="s")
    harness.work({"a": echo})
    rows = harness.rows(run)
    assert restore(rows.workflow, rows.tasks, harness.executor._residents.get(run).run.definition).forks == {2: 0}
    harness.work({"after": echo})
    assert harness.run(run).status == "COMPLETED"
    run = run_of(harness, step("a"), *fork("f", [step("x")]), step("after"))
    harness.request(run, "skip_task", ref="f_join")
    harness.work({"a": echo, "after": echo})
    assert harness.run(run).status == "RUNNING"
    harness.work({"x": echo})
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize(("ref", "gone"), [("b", "b__1"), ("b__2", "b__2")])
def test_in_a_loop_the_next_iteration_is_meant_or_the_one_that_is_named(harness, ref, gone):
    run = run_of(harness, step("a"), loop("l", "$.l.iteration < 3", step("b")))
    harness.request(run, "skip_task", ref=ref)
    harness.work({"a": echo, "b": echo})
    assert (harness.run(run).status, skipped(harness, run)) == ("COMPLETED", [gone])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"ref": "nobody"}, 404),
        ({"ref": "a"}, 409),
        ({"ref": "b", "taskOutput": [1]}, 400),
        ({"ref": "b", "taskInput": "x"}, 400),
    ],
)
def test_only_a_step_to_come_can_be_skipped(harness, arguments, code):
    run = run_of(harness, step("a"), step("b"))
    assert harness.request(run, "skip_task", **arguments).code == code
    assert harness.run(run).skips == {}


def test_only_a_running_run_has_steps_to_come(harness):
    run = run_of(harness, step("a"), step("b"))
    harness.request(run, "pause")
    assert harness.request(run, "skip_task", ref="b").code == 409
    harness.request(run, "terminate")
    assert harness.request(run, "skip_task", ref="b").code == 409


def test_a_restarted_run_skips_nothing(harness):
    run = run_of(harness, step("a"), step("b"))
    harness.request(run, "skip_task", ref="b")
    harness.request(run, "terminate")
    harness.request(run, "restart")
    harness.work({"a": echo})
    assert harness.statuses(run)["b"] == "SCHEDULED"


def test_a_run_that_is_done_over_does_what_was_skipped(harness):
    run = run_of(harness, step("a"), step("b"))
    harness.request(run, "skip_task", ref="b")
    harness.work({"a": echo})
    harness.request(run, "rerun", reRunFromTaskId=harness.task(run, "b").id)
    assert harness.statuses(run)["b"] == "SCHEDULED"
