"""Input made to hurt: it may fail its own run, and nothing else."""

from __future__ import annotations

import time

import pytest

from engine.errors import BadDefinition
from tests.unit.decider.steps import echo, fork, inputs, loop, run_of, step, switch


@pytest.fixture(autouse=True)
def quickly():
    """No input takes the decider more than a few seconds."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 30


def test_nul_characters_travel_unharmed_in_data(harness):
    run = run_of(harness, step("a", **inputs(v="${workflow.input.v}")), given={"v": "a\0b", "k\0": 1})
    harness.work({"a": echo})
    assert harness.run(run).output == {"v": "a\0b"}


def test_nul_characters_in_names_and_reasons_are_replaced_where_they_are_stored(harness):
    run = run_of(harness, step("a"))
    harness.request(run, "terminate", reason="be\0cause")
    assert harness.run(run).reason == "be\ufffdcause"


def test_five_megabytes_travel_through(harness):
    run = run_of(harness, step("a", **inputs(v="${workflow.input.v}")), given={"v": "x" * 5_000_000})
    harness.work({"a": echo})
    assert len(harness.run(run).output["v"]) == 5_000_000


def test_ten_thousand_keys_travel_through(harness):
    many = {f"key {number}": number for number in range(10_000)}
    run = run_of(harness, step("a", **inputs(v="${workflow.input}")), given=many)
    harness.work({"a": echo})
    assert harness.run(run).output["v"] == many


@pytest.mark.parametrize(
    "script",
    [
        "while (true) {}",
        "(function f() { return f() })()",
        "let a = []; while (true) a.push(new Array(1000).fill(7))",
        "'x'.repeat(2 ** 30)",
        "/(a+)+$/.test('a'.repeat(40) + 'b')",
        "JSON.stringify($).repeat(1e9)",
    ],
)
def test_an_endless_or_greedy_script_fails_its_run_in_time(harness, script):
    beside = run_of(harness, step("a"))
    harness.register(
        {"name": "greedy", "tasks": [switch("s", {"x": [step("y")]}, evaluatorType="javascript", expression=script)]}
    )
    run = harness.start("greedy")
    assert (harness.run(run).status, harness.run(beside).status) == ("FAILED", "RUNNING")
    assert harness.executor.counts.given_up == 0


def test_half_characters_from_a_script_are_replaced(harness):
    run = run_of(harness, switch("s", {"x": [step("y")]}, evaluatorType="javascript", expression="'\U0001f600'[0]"))
    assert harness.task(run, "s").output["selectedCase"] == "\ufffd"


@pytest.mark.parametrize("path", ["$..*", "workflow.input" + "..*" * 12, "workflow.input[?(@.a=~/(a+)+$/)]"])
def test_a_path_that_selects_far_too_much_fails_its_run_with_the_path(harness, path):
    deep: object = "a" * 40 + "b"
    for _ in range(12):
        deep = {"a": deep, "b": [deep]} if _ < 6 else {"a": deep}
    run = run_of(harness, switch("s", {"x": [step("y", **inputs(v="${" + path + "}"))]}), given={"way": "x", "d": deep})
    assert harness.run(run).status in ("RUNNING", "FAILED")
    if harness.run(run).status == "FAILED":
        assert "decider could not decide" not in harness.run(run).reason


def test_a_fork_of_many_branches_costs_each_what_a_fork_of_few_costs(harness):
    fields = inputs(forkTaskName="work", forkTaskInputs=list(range(3_000)))
    run = run_of(harness, step("d", "FORK_JOIN_DYNAMIC", **fields), step("j", "JOIN"))
    harness.work({"work": lambda _: {}})
    assert harness.run(run).status == "COMPLETED"


def test_definitions_nested_beyond_reason_are_refused_or_run(harness):
    inner = step("a")
    for depth in range(60):
        inner = switch(f"s{depth}", {"x": [inner]})
    run = run_of(harness, inner, given={"way": "x"})
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_definition_of_nonsense_is_refused_with_a_sentence(harness):
    for nonsense in ({"tasks": {}}, {"tasks": [[]]}, {"tasks": [step("a", inputParameters=[1])]}, {"name": {"a": 1}}):
        with pytest.raises(BadDefinition, match="mistake"):
            harness.register({"name": "flow", "tasks": [step("a")], **nonsense})


def test_a_wide_fork_with_loops_ends(harness):
    branches = [[loop(f"l{n}", f"$.l{n}.iteration < 3", step(f"n{n}", "NOOP"))] for n in range(100)]
    assert harness.run(run_of(harness, *fork("f", *branches))).status == "COMPLETED"
