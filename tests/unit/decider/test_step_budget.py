"""A decision that has taken too many steps is saved and goes on by a wake-up."""

from __future__ import annotations

import pytest

from engine.config import Settings
from engine.model.request import Request
from engine.testing.harness import Harness
from engine.wire.request_message import encode_request
from tests.unit.decider.steps import child, echo, fork, inputs, loop, run_of, step, switch


@pytest.mark.parametrize("budget", [1, 2, 3, 7])
def test_a_run_ends_the_same_whatever_the_budget(budget):
    harness = Harness(settings=Settings(step_budget=budget))
    harness.register({"name": "kid", "tasks": [step("k"), step("kn", "NOOP")]})
    body = [*fork("f", [step("n1", "NOOP"), step("a")], [switch("s", {"x": [step("n2", "NOOP")]})]), child("c", "kid")]
    run = run_of(harness, loop("l", "$.l.iteration < 2", *body), step("end", "NOOP"), given={"way": "x"})
    harness.work({"a": echo, "k": echo})
    assert harness.run(run).status == "COMPLETED"
    assert len(harness.rows(run).tasks) == 1 + 2 * 7 + 1


def test_the_rest_goes_on_at_once_without_any_other_event():
    harness = Harness(settings=Settings(step_budget=10))
    run = harness.run(run_of(harness, loop("l", "$.l.iteration < 100", step("n", "NOOP"))))
    assert run.status == "COMPLETED"
    # The first version is the moment of the start.
    assert run.version_no - run.created_at > 10


def test_it_goes_on_even_if_the_wake_up_was_lost():
    harness = Harness(settings=Settings(step_budget=10))
    harness.register({"name": "flow", "tasks": [loop("l", "$.l.iteration < 20", step("n", "NOOP"))]})
    harness.road.cancel("baton.events.0")
    run = harness.start("flow")
    harness.broker.delete_queue("baton.events.0")
    harness.road.consume("baton.events.0", 100)
    assert harness.run(run).status == "RUNNING"
    harness.restart_decider()
    for _ in range(5):
        harness.advance(1)
    assert harness.run(run).status == "COMPLETED"


def test_what_else_arrives_in_the_batch_is_not_lost():
    harness = Harness(settings=Settings(step_budget=2))
    branches = [[step(f"a{n}"), step(f"n{n}", "NOOP"), step(f"b{n}", **inputs(v=n))] for n in range(8)]
    run = run_of(harness, *fork("f", *branches))
    for kind in "ab":
        harness.work({f"{kind}{n}": echo for n in range(8)})
    assert harness.run(run).status == "COMPLETED"


def test_a_paused_run_waits_with_the_rest():
    harness = Harness(settings=Settings(step_budget=3))
    run = run_of(harness, step("a"), *(step(f"n{n}", "NOOP") for n in range(9)))
    harness.request(run, "pause")
    harness.work({"a": echo})
    assert len(harness.rows(run).tasks) == 1
    harness.request(run, "resume")
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_a_join_that_was_about_to_be_asked_is_asked_although_more_came_when_the_steps_were_spent(budget):
    harness = Harness(settings=Settings(step_budget=budget))
    tasks = [step("first", "NOOP"), *fork("f", [step("a", "NOOP")]), step("end", "NOOP")]
    harness.register({"name": "flow", "tasks": tasks})
    harness.road.cancel("baton.events.0")
    run = harness.start("flow")
    harness.road.consume("baton.events.0", 100)
    for number in range(9):
        asked = [Request(event_id=f"{number}/{n}", workflow_id=run, verb="reset_callbacks") for n in range(2)]
        harness._outside.publish([encode_request(each, 1) for each in asked])
        harness.executor.handle(harness.arrived())
    harness.carry()
    assert harness.run(run).status == "COMPLETED"


def test_a_script_that_costs_the_whole_budget_is_heeded_though_something_else_waits():
    # Given a join whose script is asked in every decision, and costs more than one may
    harness = Harness(settings=Settings(step_budget=2))
    joined = fork("f", [switch("s", {"x": [step("slow")]})], [step("quick")])
    joined[1] |= {"evaluatorType": "js", "expression": "$.joinOn.some(ref => $[ref] && $[ref].status == 'COMPLETED')"}
    run = run_of(harness, *joined, given={"way": "x"})
    # When one branch is enough, and the other waits in the case of a SWITCH
    harness.work({"quick": echo})
    # Then it is done, and the run does not go round and round
    assert harness.statuses(run)["f_join"] == "COMPLETED"
    harness.work({"slow": echo})
    assert harness.run(run).status == "COMPLETED"
