"""Every mistake in a definition at once, each with its path (Conductor 1.1, 1.3, 3.0)."""

from __future__ import annotations

import pytest

from engine.decider.validate import check_task, check_workflow, validate_workflow
from engine.errors import BadDefinition
from tests.unit.decider.steps import fork, inputs, loop, step


def faults(document, check=check_workflow):
    with pytest.raises(BadDefinition) as raised:
        check(document)
    return {fault.path: fault.removeprefix(f"{fault.path}: ") for fault in raised.value.faults}


def test_five_mistakes_are_told_at_once_each_with_its_path():
    found = faults(
        {
            "name": "flow",
            "schemaVersion": 1,
            "timeoutSeconds": "soon",
            "tasks": [
                step("a", "WAIT", **inputs(duration="eventually")),
                step("a", **inputs(v="${nobody.output.x}")),
                *fork(
                    "f",
                    [
                        step(
                            "s",
                            "SWITCH",
                            evaluatorType="javascript",
                            expression="1 +",
                            decisionCases={"x": [step("y")]},
                        )
                    ],
                ),
            ],
        }
    )
    assert set(found) == {
        "schemaVersion",
        "timeoutSeconds",
        "tasks[0].inputParameters.duration",
        "tasks[1].taskReferenceName",
        "tasks[1].inputParameters.v",
        "tasks[2].forkTasks[0][0].expression",
    }


@pytest.mark.parametrize(
    ("task", "path"),
    [
        (step("t", "EVENT"), "tasks[0].sink"),
        (step("t", "SWITCH", evaluatorType="value-param", expression="x"), "tasks[0].decisionCases"),
        (step("t", "SWITCH", expression="x", decisionCases={"a": [step("b")]}), "tasks[0].evaluatorType"),
        (step("t", "DYNAMIC"), "tasks[0].dynamicTaskNameParam"),
        (step("t", "HTTP"), "tasks[0].inputParameters.http_request"),
        (step("t", "DO_WHILE", loopCondition="true"), "tasks[0].loopOver"),
        (step("t", "DO_WHILE", loopOver=[step("b")]), "tasks[0].loopCondition"),
        (step("t", "SUB_WORKFLOW"), "tasks[0].subWorkflowParam"),
        (step("t", "JSON_JQ_TRANSFORM"), "tasks[0].inputParameters.queryExpression"),
        (step("t", "TERMINATE"), "tasks[0].inputParameters.terminationStatus"),
        (step("t", taskDefinition={"name": "t" * 300}), "tasks[0].taskDefinition.name"),
        (step("t", startDelay=-1), "tasks[0].startDelay"),
        ({"name": "t", "type": "SIMPLE"}, "tasks[0].taskReferenceName"),
        ({"taskReferenceName": "t"}, "tasks[0].name"),
        (loop("l", "true", step("x"), step("x")), "tasks[0].loopOver[1].taskReferenceName"),
        ("text", "tasks[0]"),
    ],
)
def test_each_mistake_has_its_path(task, path):
    assert path in faults({"name": "flow", "tasks": [task]})


@pytest.mark.parametrize("text", ["${a b.output}", "${}", "${ x.output }", "${l[(@.length-1)].x}"])
def test_an_expression_that_is_no_path_is_refused(text):
    assert "tasks[0].inputParameters.v" in faults({"name": "flow", "tasks": [step("a", **inputs(v=text))]})


def test_expressions_may_name_any_step_of_the_workflow_and_the_workflow_itself():
    known = inputs(a="${workflow.input.x}", b="${inner.output}", c="$${escaped}", d="${CPEWF_TASK_ID}")
    check_workflow({"name": "flow", "tasks": [step("a", **known), loop("l", "true", step("inner"))]})


@pytest.mark.parametrize(
    ("document", "path"),
    [({"tasks": [step("a")]}, "name"), ({"name": "x"}, "tasks"), ({"name": " ", "tasks": [step("a")]}, "name")],
)
def test_a_workflow_needs_a_name_and_tasks(document, path):
    assert path in faults(document)


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_what_is_no_object_is_refused(document):
    assert "$" in faults(document)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"timeoutSeconds": 5, "responseTimeoutSeconds": 6}, "responseTimeoutSeconds"),
        ({"timeoutSeconds": 9, "responseTimeoutSeconds": 6, "totalTimeoutSeconds": 8}, "timeoutSeconds"),
        ({"retryCount": -1}, "retryCount"),
        ({"backoffScaleFactor": 0}, "backoffScaleFactor"),
        ({"retryLogic": "SOMETIMES"}, "retryLogic"),
        ({"name": ""}, "name"),
    ],
)
def test_task_definitions_are_checked_too(fields, path):
    assert path in faults({"name": "t", **fields}, check_task)


@pytest.mark.parametrize(
    ("kind", "template"),
    [
        ("HTTP", {"http_request": {"uri": "http://here", "method": "GET"}}),
        ("JSON_JQ_TRANSFORM", {"queryExpression": ".a"}),
        ("KAFKA_PUBLISH", {"kafka_request": {"topic": "t"}}),
    ],
)
def test_what_a_step_needs_may_stand_in_the_template_of_its_task_definition(kind, template):
    registered = {"t": check_task({"name": "t", "inputTemplate": template})}
    document = {"name": "flow", "tasks": [step("t", kind)]}

    assert validate_workflow(document, lambda names: registered)[0].name == "flow"
    assert faults(document)


def test_a_loop_over_items_needs_no_condition():
    check_workflow(
        {"name": "flow", "tasks": [step("l", "DO_WHILE", items="${workflow.input.x}", loopOver=[step("b")])]}
    )


def test_a_reference_that_is_nearly_right_is_named():
    told = faults({"name": "flow", "tasks": [step("price"), step("bill", **inputs(total="${prise.output.total}"))]})

    assert told["tasks[1].inputParameters.total"].endswith("did you mean 'price'?")


def test_a_sound_definition_is_read():
    assert check_workflow({"name": "flow", "tasks": [step("a")], "unknownField": 1}).name == "flow"
    assert check_task({"name": "t", "retryCount": "2"}).retry_count == 2


@pytest.mark.parametrize("policy", ["QUEUE", "REJECT", None])
def test_a_policy_of_limited_runs_is_one_of_two(policy):
    config = {"rateLimitKey": "k", "concurrentExecLimit": 1, "policy": policy}
    assert check_workflow({"name": "flow", "tasks": [step("a")], "rateLimitConfig": config}).rate_limit_config
    config["policy"] = "queue"
    found = faults({"name": "flow", "tasks": [step("a")], "rateLimitConfig": config})
    assert found == {"rateLimitConfig.policy": "must be one of QUEUE, REJECT, not 'queue'"}


@pytest.mark.parametrize(
    "definition", [{"timeoutSeconds": 5}, {"name": "t", "timeoutSeconds": 5, "totalTimeoutSeconds": 3}]
)
def test_a_task_definition_written_out_in_a_step_may_lack_a_name_and_have_timeouts_that_never_ring(definition):
    check_workflow({"name": "flow", "tasks": [step("t", taskDefinition=definition)]})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"tasks": {"name": "t"}}, "tasks: must be a list: […]; found an object"),
        ({"tasks": [None]}, "tasks[0]: must be an object: {…}; found null"),
        ({"tasks": [step("t", inputParameters=["a"])]}, "inputParameters: must be an object: {…}; found a list"),
        ({"tasks": [step("j", "JOIN", joinOn="t")]}, "tasks[0].joinOn: must be a list: […]; found 't'"),
        ({"version": "latest"}, "version: must be a whole number; found 'latest'"),
        ({"version": 1.5}, "version: must be a whole number; found 1.5"),
        ({"restartable": "maybe"}, "restartable: must be true or false; found 'maybe'"),
        ({"timeoutPolicy": "RETRY"}, "timeoutPolicy: must be one of 'TIME_OUT_WF' or 'ALERT_ONLY'; found 'RETRY'"),
        ({"tasks": [step("t", startDelay=-1)]}, "tasks[0].startDelay: must be at least 0; found -1"),
    ],
)
def test_a_wrong_shape_is_told_in_words_that_need_no_python(fields, told):
    with pytest.raises(BadDefinition) as raised:
        check_workflow({"name": "flow", "tasks": [step("t")], **fields})
    assert told in str(raised.value)


def test_branches_that_are_no_lists_are_told_once_each():
    flat = step("f", "FORK_JOIN", forkTasks=[step("a"), step("b")])
    assert faults({"name": "flow", "tasks": [flat, step("j", "JOIN")]}).keys() == {
        "tasks[0].forkTasks[0]",
        "tasks[0].forkTasks[1]",
    }


@pytest.mark.parametrize(
    ("document", "path", "meant"),
    [
        ({"name": "flow", "task": [step("t")]}, "task", "tasks"),
        ({"name": "flow", "Tasks": [step("t")]}, "Tasks", "tasks"),
        (
            {"name": "flow", "tasks": [step("t", "SUB_WORKFLOW", subWorkflowParams={"name": "x"})]},
            "tasks[0].subWorkflowParams",
            "subWorkflowParam",
        ),
    ],
)
def test_beside_a_mistake_names_that_look_mistyped_are_told(document, path, meant):
    assert f"did you mean {meant!r}?" in faults(document)[path]


def test_a_definition_without_a_name_is_called_by_none():
    with pytest.raises(BadDefinition, match=r"^The workflow definition has 2 mistakes"):
        check_workflow({})
