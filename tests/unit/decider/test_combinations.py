"""Containers in containers: loops in loops and forks, forks in forks, children in both, each with its own names."""

from __future__ import annotations

from tests.unit.decider.steps import child, echo, fails, fork, inputs, loop, run_of, step, switch


def poll(ref):
    request = {"uri": "http://example.test/", "method": "GET", "terminationCondition": "true"}
    return step(ref, "HTTP_POLL", **inputs(http_request=request))


def first_of(*branches):
    """Return a fork and its join, which waits for the first branch alone."""
    steps = fork("f", *branches)
    steps[1] |= {"evaluatorType": "js", "expression": "$.joinOn.some(ref => $[ref] && $[ref].status == 'COMPLETED')"}
    return steps


def test_three_loops_in_each_other_with_a_fork_between_keep_only_their_last_iterations(harness):
    inner = fork("f", [step("a")], [loop("x", "$.x.iteration < 2", step("b"))])
    middle = loop("i", "$.i.iteration < 3", *inner, **inputs(keepLastN=1))
    run = run_of(harness, loop("o", "$.o.iteration < 2", middle, **inputs(keepLastN=1)))
    harness.restart_decider()
    harness.work({"a": echo, "b": echo})
    assert harness.run(run).status == "COMPLETED"
    assert harness.statuses(run)["b__2__3__2"] == "COMPLETED"
    assert harness.task(run, "o").output.keys() == {"2", "iteration"}


def test_a_fork_in_a_branch_of_a_fork_joins_before_the_outer_one(harness):
    run = run_of(harness, *fork("f", [step("a"), *fork("g", [step("b")], [step("c")])], [step("d")]))
    harness.work(dict.fromkeys("abd", echo))
    assert harness.task(run, "g_join").status == "IN_PROGRESS"
    harness.work({"c": echo})
    assert harness.run(run).status == "COMPLETED"


def test_children_with_loops_in_the_branches_of_a_fork_in_a_loop(harness):
    harness.register({"name": "kid", "tasks": [step("k"), loop("kl", "$.kl.iteration < 2", step("kk"))]})
    run = run_of(harness, loop("l", "$.l.iteration < 2", *fork("f", [child("c", "kid")], [child("d", "kid")])))
    harness.work({"k": echo, "kk": echo})
    assert harness.run(run).status == "COMPLETED"
    assert len({harness.task(run, ref).child_id for ref in ("c__1", "d__1", "c__2", "d__2")}) == 4


def test_a_list_of_lists_is_gone_through_item_by_item(harness):
    inner = loop("i", "true", step("z", **inputs(v="${i.output.loopItem}")), items="${l.output.loopItem}")
    outer = loop("l", "true", switch("s", {"a": [step("a")]}), inner, items="${workflow.input.lists}")
    run = run_of(harness, outer, given={"way": "a", "lists": [[1, 2], [], [3]]})
    seen = []
    harness.work({"a": echo, "z": lambda given: seen.append(given["v"]) or given})
    assert harness.run(run).status == "COMPLETED"
    assert seen == [1, 2, 3]


def test_an_iteration_whose_join_needed_one_branch_waits_for_the_others_before_the_next_one(harness):
    run = run_of(
        harness, loop("l", "$.l.iteration < 2", *first_of([step("a", optional=True, retryCount=0)], [step("b")]))
    )
    harness.work({"b": echo})
    assert harness.task(run, "f_join__1").status == "COMPLETED"
    assert "f__2" not in harness.statuses(run)
    harness.work({"a": fails, "b": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_service_is_polled_beside_a_yield_in_each_iteration(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", *fork("f", [poll("p")], [step("y", "YIELD")])))
    for _ in range(2):
        harness.work({"system.http_poll": lambda _: {"condition": True, "call": 0}})
        assert harness.request(run, "signal").granted
    assert harness.run(run).status == "COMPLETED"
    assert harness.task(run, "l").output["2"]["y"] == {}


def test_a_join_with_a_script_is_reopened_by_a_retry(harness):
    steps = first_of([step("a", retryCount=0)], [step("b")])
    run = run_of(harness, *steps)
    harness.work({"a": fails})
    assert harness.run(run).status == "FAILED"
    assert harness.request(run, "retry").granted
    harness.restart_decider()
    harness.work({"a": echo, "b": echo})
    assert harness.run(run).status == "COMPLETED"
