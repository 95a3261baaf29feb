"""FORK_JOIN_DYNAMIC: branches that the input describes, in every style, and every wrong shape (Conductor 3.6)."""

from __future__ import annotations

import msgspec
import pytest

from engine.errors import BadDefinition
from engine.model.definition import WorkflowTask
from engine.tasks.fork_join_dynamic import TYPE as FORK
from tests.unit.decider.steps import echo, fails, fork, inputs, loop, run_of, step, switch


def same(ref: str = "d", **parameters):
    return [step(ref, "FORK_JOIN_DYNAMIC", **inputs(**parameters)), step(f"{ref}_join", "JOIN")]


def listed(tasks, given):
    fields = {"dynamicForkTasksParam": "tasks", "dynamicForkTasksInputParamName": "given"}
    return [step("d", "FORK_JOIN_DYNAMIC", **fields, **inputs(tasks=tasks, given=given)), step("d_join", "JOIN")]


def test_one_task_runs_once_for_each_input(harness):
    run = run_of(harness, *same(forkTaskName="work", forkTaskInputs=[{"a": 1}, 7, None]))
    assert [each.input for each in harness.rows(run).tasks[1:4]] == [
        {"a": 1, "__index": 0},
        {"input": 7, "__index": 1},
        {"input": None, "__index": 2},
    ]
    harness.restart_decider()
    harness.work({"work": echo})
    assert list(harness.task(run, "d_join").output) == ["_work_0", "_work_1", "_work_2"]


def test_the_fork_says_what_it_made(harness):
    run = run_of(harness, *same(forkTaskName="work", forkTaskInputs=[1, 2]))
    assert harness.task(run, "d").input["forkedTasks"] == ["_work_0", "_work_1"]
    assert harness.task(run, "d_join").input["joinOn"] == ["_work_0", "_work_1"]


def test_no_inputs_make_no_branches(harness):
    run = run_of(harness, *same(forkTaskName="work", forkTaskInputs=[]), step("after"))
    assert harness.statuses(run) == {"d": "COMPLETED", "d_join": "COMPLETED", "after": "SCHEDULED"}


def test_forks_of_the_same_task_side_by_side_do_not_take_each_others_references(harness):
    many = [same(ref, forkTaskName="work", forkTaskInputs=[1, 2]) for ref in ("d", "e")]
    run = run_of(harness, *fork("f", *many))
    assert {"_work_0", "_work_1", "_e_work_0", "_e_work_1"} <= harness.statuses(run).keys()
    harness.work({"work": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_workflow_runs_once_for_each_input(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    run = run_of(harness, *same(forkTaskWorkflow="kid", forkTaskInputs=[{"n": 1}, {"n": 2}]))
    assert [each.message.headers["workflow_id"] for each in harness.take("k")] == [
        task.child_id for task in harness.rows(run).tasks if task.type == "SUB_WORKFLOW"
    ]


def test_items_may_choose_the_domain_of_their_workflow(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    items = [{"taskToDomain": {"k": "gpu"}}, {}]
    run_of(harness, *same(forkTaskWorkflow="kid", forkTaskInputs=items))
    assert (harness.broker.queues["gpu:k"].length, harness.broker.queues["k"].length) == (1, 1)


def test_an_optional_fork_makes_optional_branches(harness):
    fields = {**inputs(forkTaskName="work", forkTaskInputs=[1, 2]), "optional": True}
    task = {"name": "work", "retryCount": 0}
    run = run_of(harness, step("d", "FORK_JOIN_DYNAMIC", **fields), step("j", "JOIN"), defs=[task])
    harness.work({"work": fails})
    assert harness.task(run, "_work_0").status == "COMPLETED_WITH_ERRORS"
    assert harness.run(run).status == "COMPLETED"


def test_listed_steps_get_their_own_inputs(harness):
    tasks = [step("a", **inputs(x=1, y=1)), step("b")]
    run = run_of(harness, *listed(tasks, {"a": {"y": 2}}))
    assert harness.task(run, "a").input == {"x": 1, "y": 2}
    assert harness.task(run, "b").input == {}


def test_data_is_not_evaluated_a_second_time(harness):
    harness.register({"name": "flow", "tasks": listed("${workflow.input.tasks}", "${workflow.input.given}")})
    run = harness.start(
        "flow",
        {
            "tasks": [step("a", **inputs(v=0))],
            "given": {"a": {"v": "${workflow.input.secret}"}},
            "secret": 1,
        },
    )
    assert harness.task(run, "a").input == {"v": "${workflow.input.secret}"}


def test_the_parameters_of_a_step_are_evaluated_as_those_of_any_definition(harness):
    own = inputs(id="${CPEWF_TASK_ID}", n="${workflow.input.n}", v="${workflow.input.n}")
    harness.register({"name": "flow", "tasks": listed("${workflow.input.tasks}", {"a": {"v": "${workflow.input.n}"}})})
    run = harness.start("flow", {"tasks": [step("a", **own)], "n": 1})
    task = harness.task(run, "a")
    assert task.input == {"id": task.id, "n": 1, "v": 1}


def test_the_name_of_a_built_in_type_is_the_type(harness):
    run = run_of(
        harness,
        step("d", "FORK_JOIN_DYNAMIC", **inputs(forkTaskName="HTTP", forkTaskInputs=[{"uri": "http://x"}])),
        step("d_join", "JOIN"),
    )
    task = harness.task(run, "_HTTP_0")
    assert (task.type, task.queue) == ("HTTP", "system.http")


def test_a_loop_sees_what_the_fork_gave_it(harness):
    run = run_of(harness, *listed([loop("l", "$.l.iteration < $.times", step("n", "NOOP"))], {"l": {"times": 3}}))
    assert harness.task(run, "l").output["iteration"] == 3


def test_a_row_in_which_data_had_been_merged_into_the_steps_goes_on(harness):
    row = harness.task(run_of(harness, *listed([step("a", **inputs(x=1))], {"a": {"y": 2}})), "d")
    merged = {**row.input, "forkedTaskDefs": [step("a", **inputs(x=1, y="${z}"))]}
    del merged["forkedTaskInputs"]
    (branch,) = FORK.branches(WorkflowTask(name="d"), msgspec.structs.replace(row, input=merged))
    assert (branch.steps[0].input_parameters, branch.data) == ({}, {"x": 1, "y": "${z}"})


def test_the_same_reference_twice_makes_one_branch(harness):
    run = run_of(harness, *listed([step("a"), step("a")], {}))
    assert harness.statuses(run) == {"d": "COMPLETED", "a": "SCHEDULED", "d_join": "IN_PROGRESS"}


def test_a_reference_that_is_taken_fails_the_run(harness):
    run = run_of(harness, step("a"), *listed([step("a")], {}))
    harness.work({"a": echo})
    assert "duplicate task reference name: a" in harness.run(run).reason


def test_a_branch_that_is_a_container_runs_the_whole_of_it(harness):
    round_and_round = loop("l", "$.l.iteration < 2", step("x"))
    chosen = switch("s", {"a": [step("y"), step("z")]}, **inputs(way="a"))
    run = run_of(harness, *listed([round_and_round, chosen], {}), step("after"))
    harness.restart_decider()
    harness.work({"x": echo, "y": echo})
    assert harness.task(run, "d_join").status == "IN_PROGRESS"
    harness.restart_decider()
    harness.work({"z": echo, "after": echo})
    assert harness.run(run).status == "COMPLETED"
    assert {"x__1", "x__2"} <= harness.statuses(run).keys()


def test_the_old_style_works_too(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    old = {"dynamicTasks": [{"taskName": "a", "referenceName": "r", "input": {"v": 1}}, {"workflowName": "kid"}]}
    fields = {"dynamicForkJoinTasksParam": "old", **inputs(old=old)}
    run = run_of(harness, step("d", "FORK_JOIN_DYNAMIC", **fields), step("j", "JOIN"))
    harness.work({"a": echo, "k": echo})
    assert harness.task(run, "r").output == {"v": 1}
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize(
    ("tasks", "given", "words"),
    [
        (None, {}, "Cannot deserialize a list of Workflow Tasks from 'null'"),
        ("text", {}, "Cannot deserialize a list of Workflow Tasks from 'text'"),
        ([1], {}, "Cannot deserialize a list of Workflow Tasks from '[1]'"),
        ([{"name": "a"}], {}, "Cannot deserialize a list of Workflow Tasks from '[{name=a}]'"),
        ([step("a", optional="perhaps")], {}, "optional"),
        ([step("a")], None, "is not a map -> expecting a map of K,V  but found null"),
        ([step("a")], [1], "is not a map"),
        ([step("d")], {}, "duplicate task reference name: d"),
    ],
)
def test_a_wrong_shape_fails_the_run_and_says_so(harness, tasks, given, words):
    run = run_of(harness, *listed(tasks, given))
    assert harness.run(run).status == "FAILED"
    assert words in harness.run(run).reason


def test_one_task_without_a_list_of_inputs_fails_the_run(harness):
    run = run_of(harness, *same(forkTaskName="work", forkTaskInputs="many"))
    assert "Dynamic tasks could not be created" in harness.run(run).reason


def test_no_style_at_all_is_refused(harness):
    with pytest.raises(BadDefinition, match="say where the branches come from"):
        run_of(harness, step("d", "FORK_JOIN_DYNAMIC"), step("j", "JOIN"))


def test_branches_are_retried_by_the_definition_registered_for_their_task(harness):
    task = {"name": "work", "retryCount": 1, "retryDelaySeconds": 2}
    run = run_of(harness, *same(forkTaskName="work", forkTaskInputs=[1]), defs=[task])
    harness.register(tasks=[{**task, "retryCount": 9}])
    for _ in range(2):
        harness.work({"work": fails})
        harness.advance(2)
    assert harness.run(run).status == "FAILED"
    assert harness.task(run, "_work_0").attempt == 1


def test_steps_inside_a_listed_container_have_their_definitions_too(harness):
    chosen = switch("s", {"a": [step("x")]}, **inputs(way="a"))
    run = run_of(harness, *listed([chosen], {}), defs=[{"name": "x", "retryCount": 0}])
    harness.work({"x": fails})
    assert harness.run(run).status == "FAILED"


def test_a_fork_in_a_loop_starts_anew_in_each_iteration(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", *same(forkTaskName="work", forkTaskInputs=[1])))
    harness.work({"work": echo})
    assert {"_work_0__1", "_work_0__2"} <= harness.statuses(run).keys()
    assert harness.run(run).status == "COMPLETED"
