"""A run is done over from any of its tasks, wherever they stand (Conductor 4.10, without its bugs)."""

from __future__ import annotations

import pytest

from tests.unit.decider.rows import assert_remembered_as_stored
from tests.unit.decider.steps import child, echo, fails, fails_for_good, fork, inputs, loop, run_of, step, switch

WORKERS = dict.fromkeys(("a", "b", "c", "d", "after", "k", "m"), echo)


def rerun(harness, run, ref, **arguments):
    """Do a run over from a task; check that the memory is what the rows say; return what was answered."""
    outcome = harness.request(run, "rerun", reRunFromTaskId=harness.task(run, ref).id, **arguments)
    if outcome.granted and harness.run(run).status == "RUNNING":
        assert_remembered_as_stored(harness, run)
    return outcome


def completes(harness, run):
    """Let everything succeed from here; return the references of the tasks that were done meanwhile."""
    before = len(harness.handed_out)
    harness.advance(1)
    harness.work(WORKERS)
    assert harness.run(run).status == "COMPLETED", harness.run(run).reason
    return sorted({queue for queue, _ in harness.handed_out[before:]})


def test_what_stands_behind_the_task_is_done_over_and_what_stands_before_it_is_not(harness):
    run = run_of(harness, step("a"), step("b"), step("c"))
    harness.work(WORKERS)
    first = harness.run(run)
    harness.advance(5)
    assert rerun(harness, run, "b").result == {"workflowId": run}
    record = harness.run(run)
    assert (record.status, record.created_at, record.ended_at) == ("RUNNING", first.created_at, first.ended_at)
    assert record.last_retried_at == harness.clock.now()
    assert harness.statuses(run) == {"a": "COMPLETED", "b": "SCHEDULED"}
    harness.restart_decider()
    assert completes(harness, run) == ["b", "c"]
    with harness.store.transaction() as transaction:
        (before,) = transaction.earlier_rounds(run)
    assert [task.ref for task in before.tasks] == ["b", "c"]


def test_all_attempts_of_the_task_are_put_aside(harness):
    run = run_of(harness, step("a", retryCount=2), defs=[{"name": "a", "retryDelaySeconds": 0}])
    harness.work({"a": fails})
    assert harness.run(run).status == "FAILED"
    assert harness.request(run, "rerun", reRunFromTaskId=f"{run}.2").granted
    assert [(task.seq, task.attempt) for task in harness.rows(run).tasks] == [(4, 0)]
    assert completes(harness, run) == ["a"]


def test_the_task_may_be_given_another_input_and_the_run_too(harness):
    run = run_of(harness, step("a", **inputs(x="${workflow.input.x}")), step("b", **inputs(x="${workflow.input.x}")),
                 given={"x": 1})  # fmt: skip
    harness.work({"a": echo, "b": fails_for_good})
    rerun(harness, run, "a", taskInput={"own": True}, workflowInput={"x": 2}, correlationId="mark")
    assert harness.task(run, "a").input == {"own": True}
    harness.work({"a": echo})
    assert harness.task(run, "b").input == {"x": 2}
    assert (harness.run(run).input, harness.run(run).correlation_id) == ({"x": 2}, "mark")


def test_inputs_are_evaluated_again(harness):
    run = run_of(harness, step("s", "SET_VARIABLE", **inputs(v="${workflow.input.x}")), step("b"), given={"x": 1})
    harness.work({"b": fails_for_good})
    rerun(harness, run, "s", workflowInput={"x": 2})
    assert harness.run(run).variables == {"v": 2}


def test_without_a_task_everything_is_done_over(harness):
    run = run_of(harness, step("a", **inputs(x="${workflow.input.x}")), step("b"), given={"x": 1})
    harness.work({"a": echo, "b": fails_for_good})
    assert harness.request(run, "rerun", workflowInput={"x": 2}, correlationId="mark").granted
    assert (harness.task(run, "a").input, harness.run(run).correlation_id) == ({"x": 2}, "mark")
    assert harness.run(run).failed_refs == ()
    assert completes(harness, run) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"reRunFromTaskId": "run-1.9"}, 400),
        ({"reRunFromTaskId": "nobody.1"}, 400),
        ({"reRunFromTaskId": "x"}, 400),
        ({"reRunFromTaskId": {"no": "text"}}, 400),
        ({"workflowInput": [1]}, 400),
        ({"taskInput": "no"}, 400),
        ({"correlationId": 7}, 400),
    ],
)
def test_a_senseless_wish_is_refused_and_changes_nothing(harness, arguments, code):
    run = run_of(harness, step("a"))
    harness.work({"a": fails_for_good})
    before = harness.rows(run)
    assert harness.request(run, "rerun", **arguments).code == code
    assert harness.rows(run).tasks == before.tasks
    assert harness.run(run).status == "FAILED"


def test_an_open_run_is_not_done_over(harness):
    run = run_of(harness, step("a"))
    assert harness.request(run, "rerun", reRunFromTaskId=f"{run}.1").code == 409


# every type, every place


def test_a_branch_is_done_over_and_its_join_waits_again(harness):
    run = run_of(harness, *fork("f", [step("a"), step("b")], [step("c")]), step("after"))
    harness.work(WORKERS)
    rerun(harness, run, "a")
    assert harness.statuses(run) == {"f": "COMPLETED", "a": "SCHEDULED", "c": "COMPLETED", "f_join": "IN_PROGRESS"}
    assert completes(harness, run) == ["a", "after", "b"]


def test_what_was_cancelled_beside_it_goes_on(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("c"), step("d")]), step("after"))
    harness.work({"a": fails_for_good})
    assert harness.task(run, "c").status == "CANCELED"
    rerun(harness, run, "a")
    assert harness.task(run, "c").status == "SCHEDULED"
    assert completes(harness, run) == ["a", "after", "c", "d"]


@pytest.mark.parametrize("ref", ["f", "f_join"])
def test_forks_and_joins_are_done_over(harness, ref):
    run = run_of(harness, *fork("f", [step("a")], [step("c")]), step("after"))
    harness.work(WORKERS)
    rerun(harness, run, ref)
    assert completes(harness, run) == (["a", "after", "c"] if ref == "f" else ["after"])


def test_a_switch_chooses_again(harness):
    run = run_of(harness, switch("s", {"x": [step("a")], "y": [step("b")]}), step("after"), given={"way": "x"})
    harness.work(WORKERS)
    rerun(harness, run, "s", workflowInput={"way": "y"})
    assert completes(harness, run) == ["after", "b"]


def test_a_case_is_done_over_from_within(harness):
    run = run_of(harness, switch("s", {"x": [step("a"), step("b")]}), step("after"), given={"way": "x"})
    harness.work(WORKERS)
    rerun(harness, run, "b")
    assert completes(harness, run) == ["after", "b"]


def test_a_loop_is_done_over_whole(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 3", step("a")), step("after"))
    harness.work(WORKERS)
    rerun(harness, run, "l")
    assert harness.statuses(run) == {"l": "IN_PROGRESS", "a__1": "SCHEDULED"}
    assert completes(harness, run) == ["a", "after"]
    assert harness.task(run, "l").output["iteration"] == 3


@pytest.mark.parametrize("iteration", [1, 2, 3])
def test_a_loop_is_done_over_from_any_iteration(harness, iteration):
    run = run_of(harness, loop("l", "$.l.iteration < 3", step("a"), step("b")), step("after"))
    harness.work({**WORKERS, "b": lambda _: {"round": 1}})
    rerun(harness, run, f"b__{iteration}")
    present = harness.task(run, "l")
    assert (present.status, present.iteration) == ("IN_PROGRESS", iteration)
    assert set(present.output) == {"iteration", *map(str, range(1, iteration))}
    harness.restart_decider()
    harness.work({**WORKERS, "b": lambda _: {"round": 2}})
    assert harness.run(run).status == "COMPLETED"
    rounds = [harness.task(run, "l").output[str(number)]["b"]["round"] for number in (1, 2, 3)]
    assert rounds == [1] * (iteration - 1) + [2] * (4 - iteration)


def test_of_a_loop_in_a_loop_each_goes_on_in_its_own_iteration(harness):
    inner = loop("m", "$.m.iteration < 2", step("a"), step("b"))
    run = run_of(harness, loop("l", "$.l.iteration < 3", inner), step("after"))
    harness.work(WORKERS)
    rerun(harness, run, "b__1__2")
    assert (harness.task(run, "l").iteration, harness.task(run, "m__1").iteration) == (1, 2)
    assert harness.task(run, "b__1__2").status == "SCHEDULED"
    assert completes(harness, run) == ["a", "after", "b"]


def test_items_are_those_of_the_iteration(harness):
    items = step(
        "l",
        "DO_WHILE",
        loopCondition="true",
        items="${workflow.input.list}",
        loopOver=[step("a", **inputs(x="${l.output.loopItem}"))],
    )
    run = run_of(harness, items, given={"list": ["p", "q", "r"]})
    harness.work(WORKERS)
    rerun(harness, run, "a__2")
    assert harness.task(run, "a__2").input == {"x": "q"}
    assert completes(harness, run) == ["a"]


def test_from_deep_inside(harness):
    body = fork("f", [switch("s", {"x": [step("a"), step("b")]})], [step("c")], join_on=["s", "c"])
    run = run_of(harness, loop("l", "$.l.iteration < 2", *body, step("d")), step("after"), given={"way": "x"})
    harness.work(WORKERS)
    rerun(harness, run, "b__1")
    assert harness.statuses(run)["c__1"] == "COMPLETED"
    assert "c__2" not in harness.statuses(run)
    harness.restart_decider()
    assert completes(harness, run) == ["a", "after", "b", "c", "d"]


def test_a_dynamic_fork_is_expanded_anew(harness):
    given = {"list": [{"name": "a", "taskReferenceName": "x"}], "inputs": {}}
    fork_step = step("f", "FORK_JOIN_DYNAMIC", dynamicForkTasksParam="list", dynamicForkTasksInputParamName="inputs",
                     **inputs(list="${workflow.input.list}", inputs="${workflow.input.inputs}"))  # fmt: skip
    run = run_of(harness, fork_step, step("j", "JOIN"), given=given)
    harness.work(WORKERS)
    more = [*given["list"], {"name": "b", "taskReferenceName": "y"}]
    rerun(harness, run, "f", workflowInput={**given, "list": more})
    assert completes(harness, run) == ["a", "b"]
    rerun(harness, run, "y")
    assert completes(harness, run) == ["b"]


def test_a_run_that_was_ended_by_a_step_is_done_over_from_before_it(harness):
    end = step("end", "TERMINATE", inputParameters={"terminationStatus": "COMPLETED"})
    run = run_of(harness, step("a"), end)
    harness.work(WORKERS)
    rerun(harness, run, "a")
    assert completes(harness, run) == ["a"]


@pytest.mark.parametrize("kind", ["WAIT", "HUMAN"])
def test_what_waits_waits_again(harness, kind):
    run = run_of(harness, step("w", kind), step("a"))
    harness.request(run, "signal")
    harness.work(WORKERS)
    rerun(harness, run, "w")
    assert harness.task(run, "w").status == "IN_PROGRESS"
    harness.request(run, "signal")
    assert completes(harness, run) == ["a"]


# families


def family(harness, kid_steps=None):
    harness.register({"name": "grandkid", "tasks": [step("a"), step("b"), step("c")]})
    harness.register({"name": "kid", "tasks": kid_steps or [step("k"), child("g", "grandkid"), step("m")]})
    run = run_of(harness, step("d"), child("c1", "kid"), step("after"))
    harness.work(WORKERS)
    assert harness.run(run).status == "COMPLETED"
    kid = harness.task(run, "c1").child_id
    return run, kid, harness.task(kid, "g").child_id


def test_a_sub_workflow_that_is_done_over_starts_another_child(harness):
    run, kid, _ = family(harness)
    rerun(harness, run, "c1")
    assert harness.task(run, "c1").child_id != kid
    assert completes(harness, run) == ["a", "after", "b", "c", "k", "m"]
    assert harness.run(kid).status == "COMPLETED"


def test_the_runs_above_wait_for_a_child_that_is_done_over(harness):
    run, kid, grandkid = family(harness)
    rerun(harness, grandkid, "b")
    assert [harness.run(each).status for each in (run, kid, grandkid)] == ["RUNNING"] * 3
    assert completes(harness, run) == ["b", "c"]
    assert harness.run(kid).status == "COMPLETED"


def test_a_wish_for_a_task_of_a_run_below_goes_down_to_it(harness):
    run, kid, grandkid = family(harness)
    wanted = harness.task(grandkid, "b").id
    assert harness.request(run, "rerun", reRunFromTaskId=wanted, taskInput={"x": 1}).granted
    assert harness.task(grandkid, "b").input == {"x": 1}
    for each in (run, kid, grandkid):
        assert harness.run(each).status == "RUNNING"
        assert_remembered_as_stored(harness, each)
    assert harness.statuses(run) == {"d": "COMPLETED", "c1": "IN_PROGRESS"}
    assert completes(harness, run) == ["after", "b", "c", "m"]


def test_a_child_that_cannot_do_it_answers(harness):
    run, kid, grandkid = family(harness)
    wanted = harness.task(grandkid, "b").id
    harness.request(kid, "restart")
    harness.work(WORKERS)
    assert harness.request(run, "rerun", reRunFromTaskId=wanted).code == 400
    assert harness.run(run).status == "COMPLETED"


def test_a_child_that_has_gone_its_own_way_is_waited_for(harness):
    run, _, grandkid = family(harness, [step("k"), child("g", "grandkid", optional=True), step("m")])
    harness.request(grandkid, "restart")
    harness.work(WORKERS)
    harness.advance(1)
    wanted = harness.task(grandkid, "b").id
    assert harness.request(run, "rerun", reRunFromTaskId=wanted).granted
    assert completes(harness, run) == ["after", "b", "c", "m"]
