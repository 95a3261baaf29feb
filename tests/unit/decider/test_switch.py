"""SWITCH: one of several lists of steps (Conductor 3.2)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import echo, fork, inputs, run_of, step, switch

CASES = {"a": [step("in_a")], "b": [step("in_b")], "none": [], "null": [step("in_null")], "1.0": [step("in_one")]}


@pytest.mark.parametrize(
    ("way", "scheduled"),
    [
        ("a", ["s", "in_a"]),
        ("b", ["s", "in_b"]),
        ("else", ["s", "in_default"]),
        (None, ["s", "in_null"]),
        (1.0, ["s", "in_one"]),
        ("none", ["s", "after"]),
    ],
)
def test_the_case_of_the_value_runs(harness, way, scheduled):
    run = run_of(harness, switch("s", CASES, [step("in_default")]), step("after"), given={"way": way})
    assert list(harness.statuses(run)) == scheduled
    assert harness.task(run, "s").status == "COMPLETED"


def test_the_flow_goes_on_behind_the_switch_when_the_chosen_list_has_ended(harness):
    run = run_of(harness, switch("s", {"a": [step("x"), step("y")]}), step("after"), given={"way": "a"})
    harness.work({"x": echo})
    assert "after" not in harness.statuses(run)
    harness.work({"y": echo})
    assert list(harness.statuses(run)) == ["s", "x", "y", "after"]


def test_without_a_case_and_a_default_the_flow_goes_on_at_once(harness):
    run = run_of(harness, switch("s", {"a": [step("x")]}), step("after"), given={"way": "z"})
    assert list(harness.statuses(run)) == ["s", "after"]


def test_the_row_says_what_was_chosen(harness):
    run = run_of(harness, switch("s", {"a": [step("x")]}), given={"way": "a"})
    task = harness.task(run, "s")
    assert task.output == {"evaluationResult": ["a"], "selectedCase": "a"}
    assert task.input == {"way": "a", "case": "a", "hasChildren": "true"}


def test_javascript_sees_the_tasks_input(harness):
    source = {
        "evaluatorType": "javascript",
        "expression": "$.n > 2 ? 'big' : 'small'",
        **inputs(n="${workflow.input.n}"),
    }
    cases = {"big": [step("x")], "small": [step("y")]}
    run = run_of(harness, switch("s", cases, **source), given={"n": 3})
    assert "x" in harness.statuses(run)


def test_a_script_that_fails_fails_the_run_without_a_retry(harness):
    broken = {"evaluatorType": "javascript", "expression": "$.no.such"}
    run = run_of(harness, switch("s", {"a": [step("x")]}, **broken))
    assert harness.statuses(run) == {"s": "FAILED"}
    assert harness.task(run, "s").output == {}
    assert harness.run(run).status == "FAILED"


def test_python_is_refused_with_a_way_out(harness):
    run = run_of(harness, switch("s", {"a": [step("x")]}, evaluatorType="python", expression="return 1"))
    assert "SIMPLE task" in harness.run(run).reason


def test_an_unknown_evaluator_fails_the_run(harness):
    run = run_of(harness, switch("s", {"a": [step("x")]}, evaluatorType="magic"))
    assert harness.run(run).reason == "No evaluator registered for type: magic"


def test_inputs_of_the_names_that_the_engine_writes_mislead_nobody(harness):
    given = {**inputs(way="z", case="a", hasChildren="true")}
    run = run_of(harness, switch("s", {"a": [step("x")]}, **given), step("after"))
    harness.restart_decider()
    assert list(harness.statuses(run)) == ["s", "after"]
    harness.work({"after": echo})
    assert harness.run(run).status == "COMPLETED"


def test_switches_and_forks_may_be_nested(harness):
    inner = switch("inner", {"a": fork("f", [step("x")], [step("y")])})
    run = run_of(harness, switch("outer", {"a": [inner, step("z")]}), step("after"), given={"way": "a"})
    harness.work({"x": echo, "y": echo})
    harness.restart_decider()
    harness.work({"z": echo, "after": echo})
    assert harness.run(run).status == "COMPLETED"
