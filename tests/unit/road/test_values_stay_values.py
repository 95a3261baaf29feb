"""What a value says is never carried out: a text that looks like an expression stays a text, wherever it goes."""

from __future__ import annotations

import pytest

from engine.model.payload import Json
from engine.testing.harness import Harness
from workers import TerminalError

#: Would become "found" if anybody evaluated it.
TRAP = "${workflow.input.bait}"
GIVEN: dict[str, Json] = {"bait": "found", "text": TRAP, "inside": {"list": [TRAP, "a ${workflow.input.bait} b"]}}


def step(ref: str, kind: str = "SIMPLE", **fields: object) -> dict[str, object]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


def given(**parameters: Json) -> dict[str, Json]:
    return {"inputParameters": parameters}


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    harness.register(
        {"name": "child", "tasks": [step("c", **given(t="${workflow.input.t}"))]},
        {"name": "mend", "tasks": [step("m", **given(t="${workflow.input.text}", all="${workflow.input}"))]},
    )
    return harness


def run_of(harness: Harness, *steps: dict[str, object], **fields: Json) -> str:
    harness.register({"name": "w", "tasks": list(steps), **fields})
    return harness.start("w", GIVEN)


def test_inputs_of_tasks_and_their_retries(harness: Harness) -> None:
    harness.register(tasks=[{"name": "a", "retryCount": 2, "retryDelaySeconds": 0}])
    run = run_of(harness, step("a", **given(t="${workflow.input.text}", i="${workflow.input.inside}")))
    harness.work({"a": _fail})

    assert len(harness.rows(run).tasks) == 3
    for task in harness.rows(run).tasks:
        assert task.input == {"t": TRAP, "i": GIVEN["inside"]}


def _fail(_: Json) -> Json:
    raise ValueError(TRAP)


def test_outputs_of_tasks_on_their_way_to_the_next(harness: Harness) -> None:
    run = run_of(
        harness, step("a"), step("b", **given(t="${a.output.t}", u="= ${a.output.t}", v="${a.output[${a.output.k}]}"))
    )
    harness.work({"a": lambda _: {"t": TRAP, "k": "'t'"}})

    assert harness.task(run, "b").input == {"t": TRAP, "u": f"= {TRAP}", "v": TRAP}


def test_variables(harness: Harness) -> None:
    run = run_of(
        harness,
        step("s", "SET_VARIABLE", **given(v="${workflow.input.text}")),
        step("a", **given(t="${workflow.variables.v}")),
    )

    assert harness.run(run).variables == {"v": TRAP}
    assert harness.task(run, "a").input == {"t": TRAP}


def test_outputs_of_runs_and_inputs_of_sub_workflows(harness: Harness) -> None:
    sub = step("s", "SUB_WORKFLOW", subWorkflowParam={"name": "child"}, **given(t="${workflow.input.text}", bait="x"))
    run = run_of(harness, sub, outputParameters={"t": "${s.output.t}"})
    harness.work({"c": lambda inputs: inputs})

    assert harness.run(run).output == {"t": TRAP}


def test_inputs_of_dynamic_forks(harness: Harness) -> None:
    fork = step("f", "FORK_JOIN_DYNAMIC", **given(forkTaskName="d", forkTaskInputs=["${workflow.input.inside}"]))
    described = step(
        "g",
        "FORK_JOIN_DYNAMIC",
        dynamicForkTasksParam="tasks",
        dynamicForkTasksInputParamName="inputs",
        **given(tasks=[step("e")], inputs={"e": {"t": "${workflow.input.text}"}}),
    )
    run = run_of(harness, fork, step("j", "JOIN"), described, step("k", "JOIN"))
    harness.work({"d": lambda inputs: inputs})

    assert harness.task(run, "_d_0").input["list"] == GIVEN["inside"]["list"]
    assert harness.task(run, "e").input["t"] == TRAP


def test_items_of_loops(harness: Harness) -> None:
    body = step("a", **given(t="${l.output.loopItem}"))
    run = run_of(
        harness, step("l", "DO_WHILE", loopCondition="true", items="${workflow.input.inside.list}", loopOver=[body])
    )

    assert harness.task(run, "a__1").input == {"t": TRAP}


def test_payloads_of_events_and_bodies_of_calls(harness: Harness) -> None:
    run = run_of(
        harness,
        step(
            "h",
            "HTTP",
            asyncComplete=False,
            **given(http_request={"uri": "http://x", "body": "${workflow.input.inside}"}),
        ),
        step("e", "EVENT", sink="amqp_queue:q", **given(t="${workflow.input.text}")),
    )
    (call,) = harness.take("system.http")

    assert TRAP in call.message.body.decode()
    assert harness.task(run, "h").input["http_request"]["body"] == GIVEN["inside"]


def fails(_: Json) -> Json:
    raise TerminalError(TRAP)


def test_what_a_failure_workflow_is_told(harness: Harness) -> None:
    run = run_of(harness, step("a", **given(t="${workflow.input.text}")), failureWorkflow="mend")
    harness.work({"a": fails})

    mend = str(harness.run(run).failure_workflow_id)
    assert harness.task(mend, "m").input["t"] == TRAP
    assert TRAP in str(harness.task(mend, "m").input["all"]["reason"])


def test_a_run_that_is_too_large_to_be_told_whole_still_starts_its_failure_workflow(harness: Harness) -> None:
    fork = step("f", "FORK_JOIN", forkTasks=[[step(f"b{number}")] for number in range(12)])
    run = run_of(harness, fork, step("j", "JOIN"), step("a"), failureWorkflow="mend")
    harness.work({f"b{number}": lambda _: {"t": "x" * 1_000_000} for number in range(12)} | {"a": fails})

    mend = harness.run(str(harness.run(run).failure_workflow_id))
    assert mend.status == "RUNNING"
    assert mend.input["failedWorkflow"]["workflowId"] == run
    assert mend.input["failedWorkflow"]["tasks"] == []


def test_an_escaped_expression_in_data_is_none_either(harness: Harness) -> None:
    harness.register(
        {"name": "w", "tasks": [step("a", **given(t="> ${workflow.input.t}")), step("b", **given(t="${a.input.t}"))]}
    )
    run = harness.start("w", {"t": "$${workflow.input.bait}", "bait": "found"})
    harness.work({"a": lambda inputs: inputs})

    assert "found" not in str(harness.task(run, "b").input)
