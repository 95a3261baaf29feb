"""Delays that an operator ends, and variables that are written from outside."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import echo, fails, inputs, run_of, step


def test_a_further_attempt_that_waits_is_handed_out_at_once(harness):
    run = run_of(harness, step("a"), defs=[{"name": "a", "retryDelaySeconds": 600}])
    harness.work({"a": fails})
    assert harness.take("a") == []
    outcome = harness.request(run, "reset_callbacks")
    assert outcome.result == {"tasks": [f"{run}.2"]}
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_paused_run_hands_out_what_it_waited_for_when_it_is_resumed(harness):
    run = run_of(harness, step("a", startDelay=600))
    harness.request(run, "pause")
    assert harness.request(run, "reset_callbacks").granted
    assert harness.take("a") == []
    harness.request(run, "resume")
    assert len(harness.take("a")) == 1


def test_a_wait_is_no_delay_of_a_delivery(harness):
    run = run_of(harness, step("w", "WAIT", **inputs(duration="600s")))
    assert harness.request(run, "reset_callbacks").result == {"tasks": []}
    assert harness.statuses(run) == {"w": "IN_PROGRESS"}


def test_variables_are_put_over_those_of_the_run(harness):
    run = run_of(harness, step("a"), step("b", **inputs(v="${workflow.variables}")), variables={"x": 1, "y": 1})
    assert harness.request(run, "update_variables", variables={"y": 2, "z": [3]}).granted
    harness.restart_decider()
    harness.work({"a": echo})
    assert harness.task(run, "b").input == {"v": {"x": 1, "y": 2, "z": [3]}}


def test_elements_are_put_behind_those_of_a_list_where_that_is_asked_for(harness):
    run = run_of(harness, step("a"), variables={"seen": [1], "name": "x"})
    given = {"seen": [2, 3], "name": "y", "new": [4]}
    outcome = harness.request(run, "update_variables", variables=given, appendArray=True)
    assert outcome.result == {"variables": {"seen": [1, 2, 3], "name": "y", "new": [4]}}
    assert harness.request(run, "update_variables", variables={"seen": [9]}).result["variables"]["seen"] == [9]


@pytest.mark.parametrize(
    ("variables", "code", "words"),
    [("x", 400, "a JSON object"), (None, 400, "a JSON object"), ({"x": "y" * 300_000}, 400, "limit")],
)
def test_variables_that_cannot_be_kept_are_refused(harness, variables, code, words):
    run = run_of(harness, step("a"))
    outcome = harness.request(run, "update_variables", variables=variables)
    assert (outcome.granted, outcome.code) == (False, code)
    assert words in outcome.message
    assert harness.run(run).variables == {}


@pytest.mark.parametrize("verb", ["reset_callbacks", "update_variables"])
def test_a_run_that_has_ended_has_neither_delays_nor_variables_to_change(harness, verb):
    run = run_of(harness, step("n", "NOOP"))
    assert harness.request(run, verb, variables={}).code == 409
