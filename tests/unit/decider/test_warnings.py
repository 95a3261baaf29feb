"""What is stored with a warning: definitions that Conductor takes and that will not work as they read."""

from __future__ import annotations

import time

import pytest

from engine.decider.context import Context
from engine.decider.draft import Draft, Surroundings
from engine.decider.execution import restore
from engine.decider.validate import check_workflow, validate_task, validate_workflow
from engine.decider.warn import TASK_FIELDS, WORKFLOW_FIELDS
from engine.errors import BadDefinition
from engine.model.definition import TaskDef
from engine.tasks import task_types
from tests.unit.decider.steps import child, fork, inputs, loop, run_of, step, switch

INNER = {"name": "${any.thing}", "tasks": [step("a"), step("b", inputParameters={"v": "${a.output.x}"})]}
AMISS = step("a", inputParameters={"v": "${nobody.output.x}"})
END = step("end", "TERMINATE", **inputs(terminationStatus="COMPLETED"))


def nothing(names):
    return {}


def warnings(*tasks, find=nothing, missing=False, **fields):
    _, told = validate_workflow({"name": "flow", "tasks": list(tasks), **fields}, find, missing=missing)
    return {doubt.path: doubt.removeprefix(f"{doubt.path}: ") for doubt in told}


@pytest.mark.parametrize(
    ("tasks", "path", "words"),
    [
        ([step("t", "HTPP")], "tasks[0].type", "did you mean 'HTTP'?"),
        ([step("t", "http")], "tasks[0].type", "did you mean 'HTTP'?"),
        (
            [step("t", "HTTP", **inputs(http_request={"url": "http://x", "method": "GET"}))],
            "tasks[0].inputParameters.http_request.url",
            "did you mean 'uri'?",
        ),
        (
            [step("t", "INLINE", expression="1", **inputs(evaluatorType="javascript"))],
            "tasks[0].expression",
            "reads inputParameters.expression",
        ),
        (
            [step("t", "JSON_JQ_TRANSFORM", **inputs(queryExpression=".a |"))],
            "tasks[0].inputParameters.queryExpression",
            "not a jq program",
        ),
        ([step("t", "LLM_CHAT_COMPLETE")], "tasks[0].type", "workers on the queue 'LLM_CHAT_COMPLETE'"),
        ([step("t", "LAMBDA", **inputs(scriptExpression="return 1"))], "tasks[0].type", "use INLINE"),
        ([step("t", **inputs(host="${HOSTNAME}"))], "tasks[0].inputParameters.host", "BATON_ENV_HOSTNAME"),
        ([step("t", retryCuont=1)], "tasks[0].retryCuont", "did you mean 'retryCount'?"),
        ([step("t", taskDefinition={"name": "t", "retrys": 1})], "tasks[0].taskDefinition.retrys", "is ignored"),
        (
            [step("t", taskDefinition={"timeoutSeconds": 5, "responseTimeoutSeconds": 6})],
            "tasks[0].taskDefinition.responseTimeoutSeconds",
            "longer than timeoutSeconds (5)",
        ),
        (
            [step("t", taskDefinition={"timeoutSeconds": 5, "totalTimeoutSeconds": 4})],
            "tasks[0].taskDefinition.timeoutSeconds",
            "longer than totalTimeoutSeconds (4)",
        ),
        (
            [child("c", "x", subWorkflowParam={"name": "x", "workflowDefinition": {"name": "x", "tasks": [AMISS]}})],
            "tasks[0].subWorkflowParam.workflowDefinition.tasks[0].inputParameters.v",
            "neither 'workflow' nor a taskReferenceName",
        ),
        (
            [child("c", "x", subWorkflowParam={"name": "x", "workflowDefinition": {"name": "x"}})],
            "tasks[0].subWorkflowParam.workflowDefinition.tasks",
            "needs at least one task",
        ),
        ([step("f", "FORK_JOIN", forkTasks=[[step("a")]])], "tasks[0]", "not followed by a join"),
        (
            [switch("s", {"a": [step("f", "FORK_JOIN", forkTasks=[[step("b")]])]})],
            "tasks[0].decisionCases.a[0]",
            "not followed by a join",
        ),
        (fork("f", [step("a")], [step("b")], join_on=["a"]), "tasks[0].forkTasks[1]", "does not wait for 'b'"),
        (fork("f", [step("a"), step("b")], join_on=["a"]), "tasks[0].forkTasks[0]", "does not wait for 'b'"),
        ([step("x"), *fork("f", [step("a")], join_on=["a", "x"])], "tasks[1]", "'x', which is in none of the branches"),
        (fork("f", [step("a")], join_on=["a", "aa"]), "tasks[1].joinOn[1]", "no step has this taskReferenceName"),
        ([*fork("f", [step("a")], join_on=["a", "x"]), step("x")], "tasks[1].joinOn[1]", "stands behind it"),
        (fork("f", [step("a")], join_on=["a", "f_join"]), "tasks[1].joinOn[1]", "it is itself"),
        (
            [switch("s", {"a": [step("x")], "b": fork("f", [step("y")], join_on=["y", "x"])})],
            "tasks[0].decisionCases.b[1].joinOn[1]",
            "stands in another case",
        ),
        ([step("f", "FORK_JOIN", forkTasks=[[]]), step("j", "JOIN")], "tasks[0].forkTasks[0]", "branch is empty"),
        (
            [step("j", "EXCLUSIVE_JOIN", joinOn=["a"], defaultExclusiveJoinTask=["b"]), step("a"), step("b")],
            "tasks[0].defaultExclusiveJoinTask[0]",
            "stands behind it",
        ),
        ([END, step("never")], "tasks[0]", "'never' behind it is never reached"),
        (
            [step("s", "SWITCH", evaluatorType="value-param", expression="way", decisionCases={"a": [step("b")]})],
            "tasks[0].expression",
            "'way' is none of this step's inputParameters",
        ),
        (
            [step("s", "SWITCH", evaluatorType="ruby", expression="1", decisionCases={"a": [step("b")]})],
            "tasks[0].evaluatorType",
            "use value-param or javascript",
        ),
        (
            [step("t", "INLINE", **inputs(expression="return 1", evaluatorType="python"))],
            "tasks[0].inputParameters.evaluatorType",
            "nothing here evaluates 'python'",
        ),
        ([step("d", "DYNAMIC", dynamicTaskNameParam="which")], "tasks[0].dynamicTaskNameParam", "'which' is none"),
        ([step("t", "INLINE", **inputs(expression="1 +"))], "tasks[0].inputParameters.expression", "JavaScript"),
        ([loop("l", "1 +", step("b"))], "tasks[0].loopCondition", "JavaScript"),
        ([loop("l", "true", step("b"), **inputs(keepLastN="5"))], "tasks[0].inputParameters.keepLastN", "whole"),
        ([step("c", "SUB_WORKFLOW", subWorkflowParam={})], "tasks[0].subWorkflowParam.name", "name the workflow"),
        (
            [step("w", "WAIT", **inputs(waitUntil="2030-01-01"))],
            "tasks[0].inputParameters.waitUntil",
            "did you mean 'until'",
        ),
        ([step("j", "EXCLUSIVE_JOIN")], "tasks[0].joinOn", "nothing to choose from"),
        (
            [switch("s", {"a": [step("b", **inputs(v="${pric.output.x}"))]}), step("price")],
            "tasks[0].decisionCases.a[0].inputParameters.v",
            "did you mean 'price'?",
        ),
        (
            [switch("s", {"a": [step("b", **inputs(v="${a b}"))]})],
            "tasks[0].decisionCases.a[0].inputParameters.v",
            "is null",
        ),
        ([step("a", **inputs(v="${b.output.x}")), step("b")], "tasks[0].inputParameters.v", "'b' has not run when"),
        (
            [switch("s", {"x": [step("a")], "y": [step("b", **inputs(v="${a.output}"))]})],
            "tasks[0].decisionCases.y[0].inputParameters.v",
            "'a' has not run",
        ),
        ([step("a", **inputs(v="${workflow.inptu.x}"))], "tasks[0].inputParameters.v", "did you mean 'input'?"),
        ([step("a"), step("b", **inputs(v="${a.result}"))], "tasks[1].inputParameters.v", "a task has no 'result'"),
        ([child("c", "${nobody.output.name}")], "tasks[0].subWorkflowParam.name", "there is no step 'nobody'"),
    ],
)
def test_each_doubt_has_its_path_and_says_what_will_happen(tasks, path, words):
    assert words in warnings(*tasks)[path]


@pytest.mark.parametrize(
    "tasks",
    [
        fork("f", [step("a")], [step("b"), step("c")]),
        # Every end of a branch may be named: the SWITCH itself or what stands in its cases.
        fork("f", [switch("s", {"x": [step("a")]}, [step("b")])], join_on=["a", "b"]),
        fork("f", [*fork("g", [step("a")], [step("b")])], [step("c")]),
        fork("f", [step("a")], [step("b"), END], join_on=["a"]),
        [step("l0"), *fork("f", [step("a", **inputs(v="${b.output.x}"))], [step("b")])],
        [loop("l", "$.n < 3", step("a", **inputs(v="${b.output.x}")), step("b"), **inputs(n="${l.output.iteration}"))],
        [loop("l", "true", switch("s", {"x": [step("a")], "y": [step("b", **inputs(v="${a.output}"))]}))],
        [step("a", **inputs(v="${workflow.secrets.KEY}", w="${workflow.env.HOME_URL}", t="${CPEWF_TASK_ID}"))],
        [step("a"), step("b", **inputs(v="${a['output'].x}", w="$${a.nothing}", x="${a.output[0].y}"))],
        [step("c", "SUB_WORKFLOW", subWorkflowParam={"name": "x", "workflowDefinition": INNER})],
        [
            step(
                "d",
                "FORK_JOIN_DYNAMIC",
                dynamicForkTasksParam="t",
                dynamicForkTasksInputParamName="i",
                **inputs(t="${workflow.input.t}", i="${workflow.input.i}"),
            ),
            step("j", "JOIN", joinOn=["made_when_it_runs"]),
            switch("s", {"x": [step("a", **inputs(v="${made_when_it_runs.output.x}"))]}),
        ],
    ],
)
def test_what_works_as_it_reads_is_not_doubted(tasks):
    assert warnings(*tasks) == {}


def test_outputs_are_looked_at_too():
    told = warnings(step("a"), outputParameters={"x": "${aa.output.x}", "y": {"z": ["${a.output.x}", "${b.output}"]}})

    assert set(told) == {"outputParameters.x", "outputParameters.y.z[1]"}


def test_a_type_that_has_a_task_definition_is_meant():
    known = {"resize": TaskDef(name="resize")}

    assert warnings(step("t", "resize"), find=lambda names: known) == {}


def test_a_worker_task_without_definition_is_told_where_that_can_be_known():
    known = {"known": TaskDef(name="known")}
    tasks = [step("known"), step("unknown"), step("own", taskDefinition={"name": "own"})]

    assert set(warnings(*tasks, find=lambda names: known, missing=True)) == {"tasks[1].name"}
    assert warnings(*tasks, find=lambda names: known) == {}


def test_ignored_fields_are_told_at_every_level_and_known_ones_at_none():
    document = check_workflow({"name": "flow", "tasks": fork("f", [step("a", retryCount=1)])}).to_json()

    assert validate_workflow(document, nothing)[1] == ()
    assert warnings(*document["tasks"], rateLimitConfig={"policies": 1}, tags=["x"]).keys() == {
        "rateLimitConfig.policies",
        "tags",
    }
    assert [doubt.path for doubt in validate_task({"name": "t", "retry_count": 1, "retries": 2})[1]] == ["retries"]


def test_strictness_refuses_what_is_doubtful_with_all_its_paths():
    with pytest.raises(BadDefinition) as refused:
        validate_workflow({"name": "flow", "tasks": [END, step("t", "HTPP")]}, nothing, strict=True)

    assert {fault.path for fault in refused.value.faults} == {"tasks[0]", "tasks[1].type"}
    with pytest.raises(BadDefinition):
        validate_task({"name": "t", "retries": 2}, strict=True)


def test_the_fields_that_expressions_may_name_are_those_there_are(harness):
    rows = harness.rows(run_of(harness, step("a")))
    execution = restore(rows.workflow, rows.tasks, check_workflow({"name": "flow", "tasks": [step("a")]}))
    context = Context(Draft(execution, harness.clock.now(), Surroundings()))

    assert context["workflow"].keys() | {"secrets", "env"} == WORKFLOW_FIELDS
    assert context["a"].keys() == TASK_FIELDS


def test_a_large_definition_full_of_doubts_is_told_of_in_a_moment():
    steps = [step(f"t{number}", **inputs(v="${nobody.output}")) for number in range(3_000)]
    before = time.process_time()

    told = warnings(switch("s", {"x": steps}), outputParameters={f"o{number}": "${no}" for number in range(3_000)})

    assert len(told) == 100
    assert time.process_time() - before < 5


def test_no_type_is_replaced_by_one_that_does_not_exist():
    assert {kind.instead for kind in task_types().values()} - {None} <= task_types().keys()


@pytest.mark.parametrize("nothing_said", [None, "", [], {}])
def test_an_unknown_field_that_says_nothing_is_none_to_warn_of(nothing_said):
    assert not warnings(step("t", inputExpression=nothing_said), onStateChange=nothing_said)


def test_names_that_an_editor_writes_beside_a_list_of_inputs_are_none_to_warn_of():
    names = {"dynamicForkTasksParam": "dynamicTasks", "dynamicForkTasksInputParamName": "dynamicTasksInput"}
    given = inputs(forkTaskName="resize", forkTaskInputs="${workflow.input.files}")
    assert not warnings(step("d", "FORK_JOIN_DYNAMIC", **names, **given), step("j", "JOIN"))
