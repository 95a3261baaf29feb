"""The flow of a running run goes on at another step of a list that it is in (Orkes' jump to task)."""

from __future__ import annotations

import pytest

from tests.unit.decider.rows import assert_remembered_as_stored
from tests.unit.decider.steps import child, echo, fails_for_good, fork, inputs, loop, run_of, step, switch

WORKERS = dict.fromkeys(("a", "b", "c", "d", "x", "y", "k", "after"), echo)


def jump(harness, run, ref, **arguments):
    outcome = harness.request(run, "jump", ref=ref, **arguments)
    if outcome.granted and harness.run(run).status == "RUNNING":
        assert_remembered_as_stored(harness, run)
    return outcome


def completes(harness, run):
    before = len(harness.handed_out)
    harness.restart_decider()
    harness.advance(1)
    harness.work(WORKERS)
    assert harness.run(run).status == "COMPLETED", harness.statuses(run)
    # What was revoked may still stand in its queue; its result is dropped.
    counted = {task.id for task in harness.rows(run).tasks}
    return sorted({queue for queue, identity in harness.handed_out[before:] if identity in counted})


def test_forwards_over_what_is_open(harness):
    run = run_of(harness, step("a"), step("b"), step("c"), step("d", **inputs(x="${b.output}")))
    (late,) = harness.take("a")
    assert jump(harness, run, "c").granted
    assert harness.statuses(run) == {"c": "SCHEDULED"}
    dropped = harness.executor.counts.dropped
    harness.publish(harness._result(late, echo))
    assert harness.executor.counts.dropped == dropped + 1
    assert completes(harness, run) == ["c", "d"]
    assert harness.task(run, "d").input == {"x": None}
    with harness.store.transaction() as transaction:
        (before,) = transaction.earlier_rounds(run)
    assert [(task.ref, task.status.value) for task in before.tasks] == [("a", "CANCELED")]


def test_back_over_what_was_done(harness):
    run = run_of(harness, step("a"), step("b"), step("c"))
    harness.work({"a": echo, "b": echo})
    jump(harness, run, "b", taskInput={"x": 1})
    assert harness.statuses(run) == {"a": "COMPLETED", "b": "SCHEDULED"}
    assert harness.task(run, "b").input == {"x": 1}
    assert completes(harness, run) == ["b", "c"]


def test_to_the_step_where_it_stands(harness):
    run = run_of(harness, step("a"), step("after"))
    jump(harness, run, "a")
    assert harness.task(run, "a").seq == 2
    assert completes(harness, run) == ["a", "after"]


def test_out_of_a_fork_with_open_branches(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    run = run_of(harness, step("a"), *fork("f", [step("x"), step("y")], [child("c", "kid")]), step("after"))
    harness.work({"a": echo, "x": echo})
    kid = harness.task(run, "c").child_id
    jump(harness, run, "after")
    assert harness.statuses(run) == {"a": "COMPLETED", "after": "SCHEDULED"}
    assert harness.run(kid).status == "TERMINATED"
    assert completes(harness, run) == ["after"]


def test_within_a_branch_and_the_others_go_on(harness):
    run = run_of(harness, *fork("f", [step("x"), step("y"), step("b")], [step("c")]), step("after"))
    jump(harness, run, "b")
    assert harness.statuses(run) == {"f": "COMPLETED", "c": "SCHEDULED", "f_join": "IN_PROGRESS", "b": "SCHEDULED"}
    assert completes(harness, run) == ["after", "b", "c"]


def test_within_an_iteration(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", step("a"), step("b"), step("c")), step("after"))
    harness.work({"a": echo, "b": echo})
    jump(harness, run, "a")
    assert [task.ref for task in harness.rows(run).tasks] == ["l", "a__1"]
    jump(harness, run, "c__1")
    assert completes(harness, run) == ["a", "after", "b", "c"]
    assert set(harness.statuses(run)) == {"l", "c__1", "a__2", "b__2", "c__2", "after"}


def test_out_of_a_loop_and_out_of_a_case(harness):
    inner = loop("l", "true", switch("s", {"way": [step("a")]}))
    run = run_of(harness, inner, step("after"), given={"way": "way"})
    harness.request(run, "pause")
    harness.work({"a": echo})
    harness.request(run, "resume")
    assert jump(harness, run, "after").granted
    assert completes(harness, run) == ["after"]


def test_a_container_is_a_step_like_any_other(harness):
    run = run_of(harness, step("a"), *fork("f", [step("x")], [step("y")]), step("after"))
    jump(harness, run, "f")
    assert completes(harness, run) == ["after", "x", "y"]


@pytest.mark.parametrize(
    ("arguments", "code"), [({"ref": "x"}, 409), ({"ref": "no"}, 404), ({"ref": "a", "taskInput": [1]}, 400)]
)
def test_where_the_flow_cannot_go_it_does_not(harness, arguments, code):
    run = run_of(harness, step("a"), *fork("f", [step("x")]))
    before = harness.rows(run)
    assert harness.request(run, "jump", **arguments).code == code
    assert harness.rows(run).tasks == before.tasks


def test_only_a_running_run_jumps(harness):
    run = run_of(harness, step("a"), step("b"))
    harness.request(run, "pause")
    assert jump(harness, run, "b").code == 409
    harness.request(run, "resume")
    harness.work({"a": fails_for_good})
    assert jump(harness, run, "b").code == 409


def test_a_slot_of_what_is_passed_over_is_free(harness):
    run = run_of(harness, step("a"), step("b", name="a"), defs=[{"name": "a", "concurrentExecLimit": 1}])
    assert len(harness.take("a")) == 1
    jump(harness, run, "b")
    assert len(harness.take("a")) == 1


def test_to_a_join_whose_fork_was_never_there(harness):
    run = run_of(harness, step("a"), *fork("f", [step("b")], [step("c")]), step("after"))
    jump(harness, run, "f_join")
    assert "f_join waits for b, c" in harness.run(run).reason
    assert harness.request(run, "retry").granted
    assert "f_join waits for b, c" in harness.run(run).reason


def test_a_run_that_waits_for_its_turn_does_not_jump(harness):
    limit = {"rateLimitConfig": {"rateLimitKey": "all", "concurrentExecLimit": 1}}
    run_of(harness, step("a"), step("b"), **limit)
    waiting = harness.start("flow")
    assert jump(harness, waiting, "b").code == 409
    assert harness.statuses(waiting) == {}
