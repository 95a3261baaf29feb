"""Workflows written as functions: what they compile to, and that it runs."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from engine.decider.validate import validate_workflow
from engine.dsl import (
    Task,
    UnknownReference,
    Value,
    do_while,
    dynamic,
    each,
    event,
    exclusive_join,
    expression,
    fork,
    fork_dynamic,
    http,
    human,
    inline,
    jq,
    noop,
    run,
    set_variables,
    start_workflow,
    step,
    sub_workflow,
    switch,
    terminate,
    wait,
    workflow,
)
from engine.tasks import task_types
from engine.testing.harness import Harness

pack, ship = Task("pack"), Task("ship", retry_count=1)


def with_output(step):
    return {"box": step.output}


def first(body):
    """Return the first step of a workflow, as JSON."""
    return workflow()(body).to_json()["tasks"][0]


def test_a_function_becomes_a_workflow_that_runs():
    @workflow(version=2, timeout_seconds=60)
    def greet(name: Value, greeting: Any = "Hello") -> dict[str, Any]:
        """Says hello."""
        said = Task("say")(text=f"{greeting}, {name}!")
        return {"said": said.output.result, "by": run.id}

    harness = Harness()
    harness.register(greet)
    identity = harness.start("greet", {"name": "Ada"})
    harness.work({"say": lambda given: given["text"]})

    assert harness.run(identity).output == {"said": "Hello, Ada!", "by": identity}
    assert greet.to_json() == {
        "name": "greet",
        "version": 2,
        "description": "Says hello.",
        "schemaVersion": 2,
        "timeoutSeconds": 60,
        "inputParameters": ["name", "greeting"],
        "inputTemplate": {"greeting": "Hello"},
        "tasks": [
            {
                "name": "say",
                "taskReferenceName": "say",
                "type": "SIMPLE",
                "inputParameters": {"text": "${workflow.input.greeting}, ${workflow.input.name}!"},
            }
        ],
        "outputParameters": {"said": "${say.output.result}", "by": "${workflow.workflowId}"},
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Value("a.output").total, "${a.output.total}"),
        (Value("a.output")["net price"], "${a.output['net price']}"),
        (Value("a.output")["it's"], '${a.output["it\'s"]}'),
        (Value("a.output")["_id"].x, "${a.output._id.x}"),
        (Value("a.output").rows[0], "${a.output.rows[0]}"),
        (Value("a.output").rows[-2:], "${a.output.rows[-2:]}"),
        (Value("a.output").rows[:].name, "${a.output.rows[*].name}"),
        (Value("a.output").rows.length(), "${a.output.rows.length()}"),
        (Value("a.output").rows.index(2), "${a.output.rows.index(2)}"),
        (expression("a.output.rows[?(@.paid)].id"), "${a.output.rows[?(@.paid)].id}"),
        (run.secrets.KEY, "${workflow.secrets.KEY}"),
    ],
)
def test_attributes_and_items_become_paths(value, text):
    assert str(value) == text


def test_a_choice_by_value_and_by_script():
    @workflow()
    def flow(size: Value) -> dict[str, Any]:
        with switch("by_value", size=size) as by_value:
            with by_value.case("big"):
                a = pack("a")
            with by_value.case(True):
                pass
            with by_value.default():
                b = pack("b")
        with switch("by_script", "$.size > 2 ? 'x' : 'y'", size=size, other=1) as by_script, by_script.case("x"):
            ship("c")
        taken = exclusive_join("taken", a, b, default=a)
        return {"box": taken.output.box, "case": by_value.output.selectedCase}

    one, two, three = flow.to_json()["tasks"]
    assert (one["evaluatorType"], one["expression"]) == ("value-param", "size")
    assert [step["taskReferenceName"] for step in one["decisionCases"]["big"] + one["defaultCase"]] == ["a", "b"]
    assert one["decisionCases"]["true"] == []
    assert (two["evaluatorType"], two["expression"]) == ("javascript", "$.size > 2 ? 'x' : 'y'")
    assert (three["joinOn"], three["defaultExclusiveJoinTask"]) == (["a", "b"], ["a"])


def test_a_loop_may_look_at_the_round_before_and_at_its_item():
    @workflow()
    def flow(lines: Value) -> dict[str, Any]:
        with do_while("poll", "$.poll.iteration < 3", last=expression("answer.output.text")) as poll:
            pack("ask", last=expression("answer.output.text"), number=poll.iteration)
            pack("answer")
        with each("ship_lines", lines) as line:
            ship(sku=line.item.sku, index=line.index)
        return {"rounds": poll.iteration}

    one, two = flow.to_json()["tasks"]
    assert one["loopOver"][0]["inputParameters"] == {
        "last": "${answer.output.text}",
        "number": "${poll.output.iteration}",
    }
    assert (two["items"], two["loopCondition"]) == ("${workflow.input.lines}", "true")
    assert two["loopOver"][0]["inputParameters"]["sku"] == "${ship_lines.output.loopItem.sku}"
    with pytest.raises(UnknownReference, match="anwser"):

        @workflow()
        def wrong() -> None:
            with do_while("poll", "false"):
                pack("ask", last=expression("anwser.output.text"))
                pack("answer")


def test_loops_and_choices_written_so_run():
    @workflow()
    def flow(lines: Value) -> dict[str, Any]:
        with each("go", lines) as line, switch("kind", kind=line.item.kind) as kind:
            with kind.case("book"):
                ship(sku=line.item.sku)
            with kind.default():
                noop("nothing")
        with fork("both") as both:
            with both.branch():
                left = pack("left")
            with both.branch():
                pack("right")
        return {"left": left.output.box, "both": both.output}

    harness = Harness()
    harness.register(flow)
    identity = harness.start("flow", {"lines": [{"kind": "book", "sku": 7}, {"kind": "x"}]})
    harness.work({"ship": lambda given: given, "pack": lambda given: {"box": 1}})

    assert harness.run(identity).output == {"left": 1, "both": {"left": {"box": 1}, "right": {"box": 1}}}
    assert harness.task(identity, "ship__1").output == {"sku": 7}


def test_a_workflow_is_called_in_another():
    @workflow(version=3)
    def child(a: Value) -> dict[str, Any]:
        return {"b": pack(a=a).output}

    @workflow(failure_workflow=child)
    def parent() -> dict[str, Any]:
        one = child("one", a=1).options(optional=True, retry_count=2)
        start_workflow("later", child, a=2)
        sub_workflow("named", "other", a=3)
        return {"b": one.output.b}

    document = parent.to_json()
    assert (document["failureWorkflow"], document["failureWorkflowVersion"]) == ("child", 3)
    assert document["tasks"][0] == {
        "name": "child",
        "taskReferenceName": "one",
        "type": "SUB_WORKFLOW",
        "inputParameters": {"a": 1},
        "subWorkflowParam": {"name": "child", "version": 3},
        "optional": True,
        "retryCount": 2,
    }
    assert document["tasks"][1]["inputParameters"]["startWorkflow"] == {
        "name": "child",
        "version": 3,
        "input": {"a": 2},
    }
    assert document["tasks"][2]["subWorkflowParam"] == {"name": "other"}


def test_every_kind_of_step_can_be_written_without_a_doubt():
    @workflow()
    def flow(site: Value) -> None:
        http("ask", f"{site}/x", "POST", body={"a": 1}, headers={"h": "v"})
        inline("think", "$.a", a=1)
        jq("shape", ".a", a=1)
        wait("pause", duration="1s")
        wait("until", until="2030-01-31 17:00")
        human("approve", a=1)
        event("tell", "conductor:x", a=1)
        set_variables("note", stage="x")
        dynamic("any", run.input.which, a=1)
        fork_dynamic("many", run.input.steps, run.input.inputs)
        step("START_WORKFLOW", "go", startWorkflow={"name": "other"})
        step("EVENT", "raw", {"sink": "conductor"}, a=1)
        noop("mark")
        terminate("end", "COMPLETED", output={"a": 1})

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert validate_workflow(flow.to_json(), lambda names: {})[1] == ()


def test_plugins_and_types_without_a_function_are_written_by_their_name():
    name = next(iter(task_types()))

    @workflow()
    def flow() -> None:
        step("NOOP", "a").options(name="mark", description="x", metadata={"k": 1}, start_delay=3)

    assert name
    assert flow.to_json()["tasks"][0] == {
        "name": "mark",
        "taskReferenceName": "a",
        "type": "NOOP",
        "description": "x",
        "metadata": {"k": 1},
        "startDelay": 3,
    }


def test_inputs_of_any_name_are_inputs():
    made = first(lambda: with_output(pack("a", ref="r", self="s", name="n", optional=True, **{"my-key": 1})))

    assert made["inputParameters"] == {"ref": "r", "self": "s", "name": "n", "optional": True, "my-key": 1}
