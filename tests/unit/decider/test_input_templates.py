"""Inputs: parameters, templates, what expressions see (Conductor 1.1, 2.3, 2.5, 2.7)."""

from __future__ import annotations

from tests.unit.decider.steps import echo, inputs, run_of, step


def test_a_template_fills_missing_and_null_keys_of_a_tasks_input(harness):
    task = {"name": "a", "inputTemplate": {"x": "from template", "y": "${workflow.input.y}", "z": {"deep": 1}}}
    run = run_of(harness, step("a", **inputs(x="${workflow.input.none}", z={"own": 1})), given={"y": 2}, defs=[task])
    assert harness.task(run, "a").input == {"x": "from template", "y": 2, "z": {"own": 1}}


def test_waits_and_their_like_take_no_template(harness):
    run = run_of(harness, step("h", "HUMAN"), defs=[{"name": "h", "inputTemplate": {"x": 1}}])
    assert harness.task(run, "h").input == {}


def test_the_workflows_template_fills_missing_and_null_keys_of_the_start(harness):
    harness.register({"name": "flow", "tasks": [step("a")], "inputTemplate": {"x": 1, "y": 1, "z": 1}})
    assert harness.run(harness.start("flow", {"x": None, "y": 2})).input == {"x": 1, "y": 2, "z": 1}
    assert harness.run(harness.start("flow")).input == {"x": 1, "y": 1, "z": 1}


def test_expressions_see_the_workflow_and_its_tasks(harness):
    seen = inputs(
        id="${workflow.workflowId}",
        kind="${workflow.workflowType}",
        version="${workflow.version}",
        correlation="${workflow.correlationId}",
        status="${a.status}",
        attempt="${a.retryCount}",
        own="${CPEWF_TASK_ID}",
        never="${b.output.v}",
        text="got ${a.output.v} and ${a.output.list}",
    )
    harness.register({"name": "flow", "tasks": [step("a"), step("b", **seen)]})
    run = harness.start("flow", correlation_id="c-1")
    harness.work({"a": lambda _: {"v": 1, "list": [1, "x"]}})
    assert harness.task(run, "b").input == {
        "id": run,
        "kind": "flow",
        "version": 1,
        "correlation": "c-1",
        "status": "COMPLETED",
        "attempt": 0,
        "own": f"{run}.2",
        "never": None,
        "text": 'got 1 and [1,"x"]',
    }


def test_variables_are_each_runs_own(harness):
    write = step("v", "SET_VARIABLE", **inputs(list="${workflow.input.list}", none=None))
    harness.register(
        {"name": "flow", "tasks": [write, step("a", **inputs(v="${workflow.variables}"))], "variables": {"k": [0]}}
    )
    one, two = harness.start("flow", {"list": [1]}), harness.start("flow", {"list": [2]})
    assert harness.task(one, "a").input["v"] == {"k": [0], "list": [1], "none": None}
    assert harness.task(two, "a").input["v"] == {"k": [0], "list": [2], "none": None}


def test_variables_beyond_their_limit_fail_the_task(harness):
    run = run_of(harness, step("v", "SET_VARIABLE", **inputs(v="${workflow.input.v}")), given={"v": "x" * 300_000})
    assert harness.task(run, "v").status == "FAILED_WITH_TERMINAL_ERROR"
    assert "the limit is 262144 bytes" in harness.run(run).reason
    assert harness.run(run).variables == {}


def test_data_that_looks_like_an_expression_stays_data(harness):
    run = run_of(harness, step("a"), step("b", **inputs(v="${a.output.v}")))
    harness.work({"a": lambda _: {"v": "${workflow.input.secret}"}, "b": echo})
    assert harness.task(run, "b").output == {"v": "${workflow.input.secret}"}


def test_definitions_are_those_of_the_start(harness):
    run = run_of(harness, step("a"), step("b"), defs=[{"name": "b", "inputTemplate": {"v": 1}}])
    harness.register({"name": "flow", "tasks": [step("other")]}, tasks=[{"name": "b", "inputTemplate": {"v": 2}}])
    harness.restart_decider()
    harness.work({"a": echo})
    assert harness.task(run, "b").input == {"v": 1}
