"""DECISION: SWITCH in its older form (Conductor 3.2)."""

from __future__ import annotations

import pytest

from engine.errors import BadDefinition
from tests.unit.decider.steps import echo, inputs, run_of, step

CASES = {"a": [step("in_a"), step("then")], "none": [], "null": [step("in_null")], "big": [step("in_big")]}


def decision(**fields):
    chosen = {"caseValueParam": "way", **inputs(way="${workflow.input.way}")}
    return step("d", "DECISION", **{**chosen, "decisionCases": CASES, "defaultCase": [step("other")], **fields})


@pytest.mark.parametrize(
    ("way", "head"), [("a", "in_a"), (None, "in_null"), ("none", "other"), ("unknown", "other"), (7, "other")]
)
def test_the_input_chooses_and_an_empty_case_means_the_default(harness, way, head):
    run = run_of(harness, decision(), step("after"), given={"way": way})
    assert list(harness.statuses(run)) == ["d", head]


def test_a_script_goes_before_the_input(harness):
    scripted = decision(caseExpression="$.n > 10 ? 'big' : 'a'", **inputs(n="${workflow.input.n}", way="a"))
    run = run_of(harness, scripted, given={"n": 11})
    assert list(harness.statuses(run)) == ["d", "in_big"]


def test_the_flow_goes_on_behind_the_chosen_list_also_in_another_decider(harness):
    run = run_of(harness, decision(), step("after"), given={"way": "a"})
    harness.work({"in_a": echo})
    harness.restart_decider()
    harness.work({"then": echo})
    assert list(harness.statuses(run)) == ["d", "in_a", "then", "after"]


def test_the_row_keeps_only_what_was_chosen(harness):
    run = run_of(harness, decision(), given={"way": "a"})
    task = harness.task(run, "d")
    assert task.output == {"caseOutput": ["a"]}
    assert task.input == {"case": "a", "hasChildren": "true"}


def test_nothing_to_do_lets_the_flow_go_on(harness):
    run = run_of(harness, decision(defaultCase=[]), step("after"), given={"way": "none"})
    assert list(harness.statuses(run)) == ["d", "after"]
    assert harness.task(run, "d").input == {"case": "none"}


def test_a_script_that_fails_ends_the_run(harness):
    run = run_of(harness, decision(caseExpression="$.no.such"))
    assert harness.run(run).status == "FAILED"
    assert "Error evaluating the script" in harness.run(run).reason


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"caseValueParam": None}, "caseValueParam or caseExpression"),
        ({"decisionCases": {}}, "decisionCases"),
        ({"caseExpression": "if ("}, "caseExpression"),
    ],
)
def test_mistakes_are_found_when_it_is_registered(harness, fields, words):
    with pytest.raises(BadDefinition, match=words):
        run_of(harness, decision(**fields))
