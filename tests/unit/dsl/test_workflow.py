"""Workflows written as functions: what they compile to, and mistakes told at their own line."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest

from engine.decider.validate import validate_workflow
from engine.dsl import (
    BadWorkflow,
    DefinitionWarning,
    DuplicateReference,
    Misplaced,
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


def here() -> int:
    return sys._getframe(1).f_lineno


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


@pytest.mark.parametrize(
    "use",
    [lambda value: value == 1, lambda value: bool(value), lambda value: list(value), lambda value: value != 1],
    ids=["equal", "condition", "loop", "unequal"],
)
def test_values_are_not_known_in_python(use):
    with pytest.raises(BadWorkflow, match="known only when the workflow runs"):
        use(Value("a.output.total"))


def test_an_unknown_reference_is_told_at_its_line_with_the_nearest_one():
    with pytest.raises(UnknownReference, match="did you mean 'price'") as told:

        @workflow()
        def flow() -> None:
            Task("price")()
            told_line.append(here() + 1)
            pack(total=expression("prise.output.total"))

    assert (told.value.line.file, told.value.line.number) == (__file__, told_line[0])


told_line: list[int] = []


def test_an_output_of_another_workflow_is_unknown_here():
    kept: list[Any] = []

    @workflow()
    def one() -> None:
        kept.append(pack("a"))

    with pytest.raises(UnknownReference):

        @workflow()
        def other() -> None:
            ship(box=kept[0].output.box)


def test_a_reference_that_is_taken_names_both_lines():
    with pytest.raises(DuplicateReference, match=r"test_workflow.py:\d+: 'pack' is already .*test_workflow.py:\d+"):

        @workflow()
        def flow() -> None:
            pack()
            pack()


def test_outputs_are_checked_too():
    with pytest.raises(UnknownReference, match="nobody"):

        @workflow()
        def flow() -> dict[str, Any]:
            pack()
            return {"x": [expression("nobody.output")]}


def test_a_step_belongs_into_a_workflow_a_branch_and_a_case():
    with pytest.raises(Misplaced, match="@workflow"):
        pack()
    with pytest.raises(Misplaced, match="in no branch of 'f'"):

        @workflow()
        def forked() -> None:
            with fork("f"):
                pack()

    with pytest.raises(Misplaced, match="in no case of 's'"):

        @workflow()
        def chosen(way: Value) -> None:
            with switch("s", way=way):
                pack()


def test_what_the_engine_refuses_is_told_at_the_line_of_the_step():
    lines: list[int] = []
    with pytest.raises(BadWorkflow, match="not valid JavaScript") as told:

        @workflow()
        def flow(a: Value) -> None:
            with fork("f") as f, f.branch():
                lines.append(here() + 1)
                with switch("s", "1 +", a=a) as s, s.case("x"):
                    pack()

    assert told.value.line.number == lines[0]


def test_what_the_engine_doubts_is_a_warning_at_the_line_of_the_step():
    with pytest.warns(DefinitionWarning, match="HTPP.*did you mean 'HTTP'") as told:

        @workflow()
        def flow() -> None:
            with do_while("l", "false"):
                step("HTPP", "ask")

    assert told[0].filename == __file__


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


@pytest.mark.parametrize(
    "body",
    [
        lambda: switch("s", a=1, b=2),
        lambda: fork("f").__enter__().__exit__(None, None, None),
        lambda: do_while("l", "true"),
        lambda: do_while("l", "true").__enter__().__exit__(None, None, None),
        lambda: exclusive_join("e"),
        lambda: pack(box=pack("other")),
        lambda: pack(box=object()),
        lambda: pack().output,
    ],
    ids=[
        "two values",
        "no branch",
        "no block",
        "no body",
        "nothing to choose",
        "a step as value",
        "no JSON",
        "no dict",
    ],
)
def test_what_cannot_be_written_is_refused(body):
    with pytest.raises(BadWorkflow):
        workflow("flow")(body)


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


def test_a_task_definition_that_cannot_be_is_told_at_its_line():
    with pytest.raises(BadWorkflow, match="responseTimeoutSeconds") as told:
        Task("t", timeout_seconds=5, response_timeout_seconds=6)

    assert told.value.line.file == __file__


def test_parameters_without_a_name_are_refused():
    with pytest.raises(BadWorkflow, match="no name to be an input"):

        @workflow()
        def flow(*rest: Value) -> None:
            pack()
