"""DYNAMIC: the task whose name is found in the input (Conductor 3.7)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import echo, fails, inputs, run_of, step


def dynamic(which="${workflow.input.which}", **more):
    return step("d", "DYNAMIC", dynamicTaskNameParam="which", **inputs(which=which, **more))


def test_it_becomes_the_worker_task_of_that_name(harness):
    run = run_of(harness, dynamic(n=1), given={"which": "resize"})
    assert (harness.task(run, "d").name, harness.task(run, "d").queue) == ("resize", "resize")
    harness.work({"resize": echo})
    assert harness.run(run).output == {"which": "resize", "n": 1}


def test_it_is_retried_by_the_definition_of_the_task_that_it_became(harness):
    run = run_of(
        harness,
        dynamic(),
        given={"which": "resize"},
        defs=[{"name": "resize", "retryCount": 1, "retryDelaySeconds": 3}],
    )
    harness.work({"resize": fails})
    harness.restart_decider()
    harness.advance(3)
    harness.work({"resize": echo})
    assert harness.task(run, "d").attempt == 1
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize(("name", "queue"), [("HTTP", "system.http"), ("INLINE", "system.inline")])
def test_it_may_become_a_system_task(harness, name, queue):
    run = run_of(harness, dynamic(), given={"which": name})
    assert (harness.task(run, "d").name, harness.task(run, "d").queue) == (name, queue)
    assert harness.work({queue: echo}) == 1
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize("name", ["NOOP"])
def test_it_may_become_a_task_of_the_engine(harness, name):
    assert harness.run(run_of(harness, dynamic(), given={"which": name})).status == "COMPLETED"


@pytest.mark.parametrize("which", [None, ""])
def test_without_a_name_the_run_fails_and_says_so(harness, which):
    run = run_of(harness, dynamic(), given={"which": which})
    assert "Cannot map a dynamic task based on the parameter and input" in harness.run(run).reason


@pytest.mark.parametrize("which", ["SUB_WORKFLOW", "DO_WHILE", "DYNAMIC", "JOIN"])
def test_it_cannot_become_what_needs_a_definition(harness, which):
    run = run_of(harness, dynamic(), given={"which": which})
    assert f"cannot become a {which}" in harness.run(run).reason


@pytest.mark.parametrize("which", [7, True, {"odd": 1}, "a b/c\u00e9"])
def test_odd_names_are_names(harness, which):
    assert harness.run(run_of(harness, dynamic(), given={"which": which})).status == "RUNNING"
