"""keepLastN: a loop that goes on for ever has not more rows than it keeps, and nothing else is lost with them."""

from __future__ import annotations

import pytest

from engine.config import Settings
from engine.testing.harness import Harness
from tests.unit.decider.steps import child, echo, fork, inputs, loop, run_of, step, switch


@pytest.fixture
def eager():
    """Return an engine that looks through every run at each new row."""
    return Harness(settings=Settings(forget_after_tasks=1))


def refs(harness, run):
    return [task.ref for task in harness.rows(run).tasks]


def test_a_loop_of_ten_thousand_iterations_has_few_rows():
    harness = Harness(settings=Settings(step_budget=1_000))
    run = run_of(harness, loop("l", "$.l.iteration < 10000", step("n", "NOOP"), **inputs(keepLastN=2)))
    assert harness.run(run).status == "COMPLETED"
    assert len(harness.rows(run).tasks) < 200
    assert harness.rows(run).workflow.last_seq == 10_001
    assert set(harness.task(run, "l").output) == {"iteration", "9999", "10000"}


def test_so_has_one_whose_work_is_done_by_workers():
    harness = Harness()
    body = [step("w"), *fork("f", [step("a")], [step("b")])]
    run = run_of(harness, loop("l", "$.l.iteration < 60", *body, **inputs(keepLastN=2)))
    counted = []
    harness.work({"w": lambda _: {"rows": counted.append(len(harness.rows(run).tasks))}, "a": echo, "b": echo})
    assert harness.run(run).status == "COMPLETED"
    assert len(counted) == 60
    assert max(counted) < 100
    assert refs(harness, run)[-1] == "f_join__60"


def test_without_the_wish_everything_stays(eager):
    run = run_of(eager, loop("l", "$.l.iteration < 50", step("n", "NOOP")))
    assert len(eager.rows(run).tasks) == 51


def test_the_last_iterations_stay(eager):
    run = run_of(eager, loop("l", "$.l.iteration < 5", step("w"), step("n", "NOOP"), **inputs(keepLastN=2)))
    eager.work({"w": echo})
    assert {"w__4", "n__4", "w__5", "n__5"} <= set(refs(eager, run))
    assert "w__1" not in refs(eager, run)


def test_the_number_may_come_from_the_run(eager):
    wanted = inputs(keepLastN="${workflow.input.keep}")
    run = run_of(eager, loop("l", "$.l.iteration < 5", step("n", "NOOP"), **wanted), given={"keep": 2})
    assert refs(eager, run) == ["l", "n__4", "n__5"]


def test_a_run_that_is_loaded_anew_goes_on_where_it_was(eager):
    body = [step("w"), *fork("f", [step("a")], [switch("s", {"x": [step("b")]})]), step("z")]
    run = run_of(eager, loop("l", "$.l.iteration < 20", *body, **inputs(keepLastN=1)), step("end"), given={"way": "x"})

    def forgetful(given):
        # Entries of which a new decider cannot know whether they were confirmed grow old.
        eager.clock.advance(100)
        eager.restart_decider()
        return given

    eager.work(dict.fromkeys(("w", "a", "b", "z", "end"), forgetful))
    assert eager.run(run).status == "COMPLETED"
    assert eager.task(run, "f_join__20").status == "COMPLETED"
    assert "w__2" not in refs(eager, run)


def test_what_has_failed_and_counts_at_the_end_stays(eager):
    body = [step("w", permissive=True, retryCount=0), step("z")]
    run = run_of(eager, loop("l", "$.l.iteration < 6", *body, **inputs(keepLastN=1)))
    eager.work({"w": lambda given: 1 / 0 if eager.task(run, "l").iteration == 2 else {}, "z": echo})
    assert eager.run(run).status == "FAILED"
    assert {"w__2", "z__2"} <= set(refs(eager, run))
    assert "w__3" not in refs(eager, run)


def test_further_attempts_go_with_the_first(eager):
    attempts = iter([False, True] * 20)
    body = [step("w", retryCount=1), step("z")]
    run = run_of(
        eager,
        loop("l", "$.l.iteration < 6", *body, **inputs(keepLastN=1)),
        defs=[{"name": "w", "retryDelaySeconds": 0, "retryCount": 1}],
    )
    eager.work({"w": lambda _: {} if next(attempts) else 1 / 0, "z": echo})
    assert eager.run(run).status == "COMPLETED"
    assert "w__1" not in refs(eager, run)


def test_a_run_that_was_launched_keeps_the_task_to_which_its_news_come(eager):
    eager.register({"name": "kid", "tasks": [step("k")]})
    launch = step("s", "START_WORKFLOW", **inputs(startWorkflow={"name": "kid"}))
    run = run_of(eager, loop("l", "$.l.iteration < 4", launch, step("n", "NOOP"), **inputs(keepLastN=1)))
    assert eager.run(run).status == "COMPLETED"
    assert {f"s__{number}" for number in (1, 2, 3, 4)} <= set(refs(eager, run))


def test_children_of_older_iterations_go(eager):
    eager.register({"name": "kid", "tasks": [step("k", "NOOP")]})
    run = run_of(eager, loop("l", "$.l.iteration < 6", child("c", "kid"), **inputs(keepLastN=1)))
    assert eager.run(run).status == "COMPLETED"
    assert "c__2" not in refs(eager, run)


def test_loops_in_loops_forget_by_themselves(eager):
    inner = loop("i", "$.i.iteration < 6", step("w"), **inputs(keepLastN=1))
    run = run_of(eager, loop("o", "$.o.iteration < 2", inner))
    eager.work({"w": echo}, rounds=100)
    assert eager.run(run).status == "COMPLETED"
    found = refs(eager, run)
    assert {"w__1__6", "w__2__6"} <= set(found)
    assert not {"w__1__2", "w__2__2"} & set(found)


def test_a_task_of_an_older_iteration_can_no_longer_be_done_over(eager):
    run = run_of(eager, loop("l", "$.l.iteration < 6", step("w"), step("n", "NOOP"), **inputs(keepLastN=2)))
    first = eager.task(run, "w__1").id
    eager.work({"w": echo})
    assert eager.request(run, "rerun", reRunFromTaskId=first).code == 400
    assert eager.request(run, "rerun", reRunFromTaskId=eager.task(run, "w__5").id).granted
    eager.work({"w": echo})
    assert eager.run(run).status == "COMPLETED"
    assert set(eager.task(run, "l").output) == {"iteration", "5", "6"}


def test_a_result_that_comes_once_more_changes_nothing(eager):
    run = run_of(eager, loop("l", "$.l.iteration < 6", step("w"), step("n", "NOOP"), **inputs(keepLastN=1)))
    (late,) = eager.take("w")
    eager.publish(eager._result(late, echo))
    eager.work({"w": echo})
    before = eager.rows(run)
    eager.publish(eager._result(late, lambda _: {"late": True}))
    assert eager.rows(run).tasks == before.tasks


def test_what_a_join_outside_still_waits_for_stays(eager):
    looped = loop("l", "$.l.iteration < 4", step("n", "NOOP"), **inputs(keepLastN=1))
    parallel, join = fork("f", [looped], [step("slow")])
    run = run_of(eager, parallel, {**join, "joinOn": ["n__1", "slow"]})
    assert "n__1" in refs(eager, run)
    eager.work({"slow": echo})
    assert eager.run(run).status == "COMPLETED"


def test_what_may_have_to_be_sent_once_more_stays(eager):
    run = run_of(eager, loop("l", "$.l.iteration < 4", step("w"), **inputs(keepLastN=1)))

    def forgetful(given):
        # A new decider cannot know whether what the one before has sent was confirmed.
        eager.restart_decider()
        return given

    eager.work({"w": forgetful})
    assert eager.run(run).status == "COMPLETED"
    assert "w__2" in refs(eager, run)
