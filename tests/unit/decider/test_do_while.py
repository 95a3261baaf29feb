"""DO_WHILE: a list of steps again and again (Conductor 3.8)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import Flaky, child, echo, fails, fork, inputs, loop, run_of, step, switch


def test_the_body_runs_while_the_condition_holds(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 3", step("b")), step("after"))
    harness.work({"b": echo})
    assert list(harness.statuses(run)) == ["l", "b__1", "b__2", "b__3", "after"]
    assert [task.iteration for task in harness.rows(run).tasks] == [3, 1, 2, 3, 0]


def test_the_output_counts_and_keeps_every_iteration(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", step("b", **inputs(n="${l.output.iteration}"))))
    harness.work({"b": echo})
    assert harness.task(run, "l").output == {"iteration": 2, "1": {"b": {"n": 1}}, "2": {"b": {"n": 2}}}


def test_the_condition_sees_the_bodys_outputs_and_the_loops_inputs(harness):
    run = run_of(
        harness, loop("l", "$.b.v < $.limit", step("b"), **inputs(limit="${workflow.input.limit}")), given={"limit": 3}
    )
    count = iter(range(1, 9))
    harness.work({"b": lambda _: {"v": next(count)}})
    assert harness.task(run, "l").output["iteration"] == 3


@pytest.mark.parametrize(
    "condition",
    ["$.l['1'].b.v == 1 && $.l.iteration < 2", "Object.keys($.l).length < 3", "$['l'][1].b.v && $.l.iteration < 2"],
)
def test_the_condition_may_look_at_earlier_iterations(harness, condition):
    run = run_of(harness, loop("l", condition, step("b")))
    harness.work({"b": lambda _: {"v": 1}})
    assert harness.task(run, "l").output["iteration"] == 2


def test_the_body_may_run_through_without_any_worker(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 5", step("n", "NOOP")))
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize("where", ["items", "_items"])
def test_a_list_of_items_is_walked_through(harness, where):
    fields = {"items": "${workflow.input.items}"} if where == "items" else inputs(_items="${workflow.input.items}")
    body = step("b", **inputs(item="${l.output.loopItem}", index="${l.output.loopIndex}"))
    run = run_of(harness, loop("l", "true", body, **fields), given={"items": ["x", "y"]})
    harness.work({"b": echo})
    assert harness.task(run, "b__2").input == {"item": "y", "index": 1}
    assert harness.run(run).status == "COMPLETED"


def test_items_may_be_an_input_where_there_is_no_condition(harness):
    body = step("b", **inputs(item="${l.output.loopItem}"))
    run = run_of(harness, loop("l", "", body, **inputs(items="${workflow.input.items}")), given={"items": ["x", "y"]})
    harness.work({"b": echo})
    assert harness.task(run, "b__2").input == {"item": "y"}
    assert harness.run(run).status == "COMPLETED"


def test_beside_a_condition_items_are_an_input_like_any_other(harness):
    run = run_of(harness, loop("l", "$.l.iteration < $.items.length", step("n", "NOOP"), **inputs(items=[7, 8])))
    assert harness.task(run, "l").output == {"iteration": 2, "1": {"n": {}}, "2": {"n": {}}}


def test_the_condition_may_be_the_name_of_an_input(harness):
    again = inputs(again="${workflow.variables.again}")
    stop = step("stop", "SET_VARIABLE", **inputs(again=False))
    run = run_of(harness, loop("l", "again", stop, evaluatorType="value-param", **again), variables={"again": True})
    assert harness.run(run).status == "COMPLETED"
    assert harness.task(run, "l").output["iteration"] == 1


@pytest.mark.parametrize(("items", "times"), [([], 0), (None, 0), ("one", 1), ({"k": 1}, 1)])
def test_no_items_run_nothing_and_a_single_value_is_a_list_of_one(harness, items, times):
    run = run_of(
        harness, loop("l", "true", step("b"), items="${workflow.input.items}"), step("z"), given={"items": items}
    )
    harness.work({"b": echo, "z": echo})
    assert harness.task(run, "l").output["iteration"] == times
    assert sum(ref.startswith("b__") for ref in harness.statuses(run)) == times
    assert harness.run(run).status == "COMPLETED"


def test_a_walk_through_items_ends_early_when_the_condition_says_so(harness):
    run = run_of(harness, loop("l", "loopItem != 'stop'", step("n", "NOOP"), items=["a", "stop", "b"]))
    assert harness.task(run, "l").output["iteration"] == 2


@pytest.mark.parametrize("condition", ["$.no.such.thing", "while (true) {}", "throw new Error('x')", "1 +"])
def test_a_condition_that_cannot_be_evaluated_fails_the_run(harness, condition):
    run = run_of(harness, loop("l", condition, step("n", "NOOP")))
    assert harness.task(run, "l").status == "FAILED_WITH_TERMINAL_ERROR"
    assert harness.run(run).reason.count("Unable to evaluate condition") == 1


def test_only_the_last_iterations_are_kept_where_that_is_asked_for(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 5", step("n", "NOOP"), **inputs(keepLastN=2)))
    assert set(harness.task(run, "l").output) == {"iteration", "4", "5"}


@pytest.mark.parametrize("keep", ["two", 0, 1.5])
def test_a_senseless_number_to_keep_keeps_everything(harness, keep):
    run = run_of(harness, loop("l", "$.l.iteration < 3", step("n", "NOOP"), **inputs(keepLastN=keep)))
    assert set(harness.task(run, "l").output) == {"iteration", "1", "2", "3"}


def test_loops_may_be_nested(harness):
    inner = loop("inner", "$.inner.iteration < 2", step("b"))
    run = run_of(harness, loop("outer", "$.outer.iteration < 2", inner))
    for _ in range(4):
        harness.restart_decider()
        assert harness.work({"b": echo}, rounds=100) or True
    assert [ref for ref in harness.statuses(run) if ref.startswith("b")] == ["b__1__1", "b__1__2", "b__2__1", "b__2__2"]
    assert harness.run(run).status == "COMPLETED"


def test_forks_switches_and_sub_workflows_may_stand_in_a_loop(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    body = [*fork("f", [step("a")], [switch("s", {"x": [step("b")]})]), child("c", "kid")]
    run = run_of(harness, loop("l", "$.l.iteration < 2", *body), given={"way": "x"})
    while harness.run(run).status == "RUNNING":
        harness.restart_decider()
        assert harness.work({"a": echo, "b": echo, "k": echo})
    assert harness.run(run).status == "COMPLETED"
    assert set(harness.task(run, "l").output["2"]) == {"f", "a", "s", "b", "f_join", "c"}
    assert list(harness.task(run, "f_join__2").output) == ["s__2"]


def test_a_join_in_a_loop_names_outputs_with_their_iteration(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", *fork("f", [step("a")])))
    harness.work({"a": lambda _: {"v": 1}})
    assert harness.task(run, "f_join__2").output == {"a__2": {"v": 1}}


def test_a_failing_step_is_retried_within_its_iteration(harness):
    worker = Flaky(1)
    run = run_of(harness, loop("l", "$.l.iteration < 2", step("b")), defs=[{"name": "b", "retryDelaySeconds": 0}])
    harness.work({"b": worker})
    assert harness.run(run).status == "COMPLETED"
    assert [(task.ref, task.attempt) for task in harness.rows(run).tasks[1:]] == [("b__1", 0), ("b__1", 1), ("b__2", 0)]


def test_a_step_that_fails_for_good_fails_the_run_even_if_the_loop_is_optional(harness):
    run = run_of(harness, loop("l", "true", step("b", retryCount=0), optional=True), step("after"))
    harness.work({"b": fails})
    assert harness.statuses(run) == {"l": "CANCELED", "b__1": "FAILED"}
    assert harness.run(run).status == "FAILED"


def test_an_optional_step_does_not_stop_the_loop(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", step("b", optional=True, retryCount=0)))
    harness.work({"b": fails})
    assert harness.run(run).status == "COMPLETED"


def test_a_variable_may_end_the_loop(harness):
    more = step("v", "SET_VARIABLE", **inputs(left="${b.output.left}"))
    run = run_of(harness, loop("l", "$.left > 0", step("b"), more, **inputs(left="${workflow.variables.left}")))
    left = iter([2, 1, 0])
    harness.work({"b": lambda _: {"left": next(left)}})
    assert harness.task(run, "l").output["iteration"] == 3


def test_a_loop_that_times_out_takes_what_is_open_in_it_along(harness):
    late = {"name": "l", "timeoutSeconds": 10, "responseTimeoutSeconds": 0, "timeoutPolicy": "RETRY"}
    body = fork("f", [step("a"), step("b")], [step("c")])
    run = run_of(harness, loop("l", "true", *body, optional=True), step("after"), defs=[late])
    harness.advance(10)
    assert harness.task(run, "l").status == "COMPLETED_WITH_ERRORS"
    assert {harness.task(run, ref).status for ref in ("a__1", "c__1", "f_join__1")} == {"CANCELED"}
    harness.restart_decider()
    assert harness.work({"a": echo, "c": echo, "after": echo}) == 3
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        *((text, True) for text in ("true", "1", "0.5")),
        *((text, False) for text in ("0", "-1", "'x'", "[1]", "null", "undefined", "NaN", "({})")),
    ],
)
def test_a_condition_holds_when_it_is_true_or_above_zero(harness, condition, holds):
    run = run_of(harness, loop("l", f"$.l.iteration == 1 && ({condition})", step("n", "NOOP")))
    assert harness.task(run, "l").output["iteration"] == 1 + holds
