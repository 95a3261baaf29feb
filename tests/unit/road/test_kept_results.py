"""Results that are kept: a task whose name and key are known has its output at once, and nobody works for it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.config import Settings
from engine.services.rescuer import Rescuer
from engine.testing.harness import Harness
from tests.unit.decider.steps import Step, fails, fork, inputs, loop, run_of, step

KEPT = {"key": "${uri}-${method}", "ttlInSecond": 60}


def call(ref: str = "call", config: Any = KEPT, **given: Any) -> Step:
    found = {"uri": "/rates", "method": "GET", **given}
    return {**step(ref, **inputs(**found)), "name": "call", "cacheConfig": config}


class Counting:
    """A worker that counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _: Any) -> Any:
        self.calls += 1
        return {"n": self.calls}


@pytest.fixture
def harness() -> Harness:
    return Harness()


@pytest.fixture
def worker() -> Counting:
    return Counting()


def work(harness: Harness, worker: Counting, *tasks: Step, queue: str = "call") -> dict[str, Any]:
    """Run a workflow of these steps to its end; return the output of its last task."""
    run = run_of(harness, *tasks)
    harness.work({queue: worker})
    assert harness.run(run).status == "COMPLETED"
    return dict(harness.rows(run).tasks[-1].output)


def test_a_later_task_with_the_same_key_has_the_output_at_once(harness, worker):
    assert work(harness, worker, call()) == {"n": 1}
    harness.restart_decider()
    assert work(harness, worker, call("another")) == {"n": 1}
    assert worker.calls == 1


def test_another_key_or_another_name_is_another_result(harness, worker):
    work(harness, worker, call())
    assert work(harness, worker, call(uri="/goods")) == {"n": 2}
    assert work(harness, worker, {**call(), "name": "ask"}, queue="ask") == {"n": 3}


def test_it_counts_as_long_as_its_step_said(harness, worker):
    work(harness, worker, call())
    harness.clock.advance(59.9)
    assert work(harness, worker, call()) == {"n": 1}
    harness.clock.advance(0.1)
    assert work(harness, worker, call()) == {"n": 2}


@pytest.mark.parametrize(
    "config",
    [
        None,
        {"key": "${uri}", "ttlInSecond": 0},
        {"key": "", "ttlInSecond": 60},
        {"key": "${nothing}", "ttlInSecond": 60},
    ],
)
def test_without_a_key_or_a_time_nothing_is_kept(harness, worker, config):
    for expected in (1, 2):
        assert work(harness, worker, call(config=config)) == {"n": expected}
    assert not harness.store._tables.results


def test_numbers_may_be_texts_and_the_key_may_name_the_run(harness, worker):
    config = {"key": "${uri}-${workflow.version}", "ttlInSecond": "60"}
    work(harness, worker, call(config=config))
    assert work(harness, worker, call(config=config)) == {"n": 1}


def test_a_failure_is_not_kept(harness, worker):
    run = run_of(harness, call(), defs=[{"name": "call", "retryCount": 0}])
    harness.work({"call": fails})
    assert harness.run(run).status == "FAILED"
    assert work(harness, worker, call()) == {"n": 1}


def test_a_further_attempt_takes_what_somebody_else_has_found_meanwhile(harness, worker):
    failed = run_of(harness, call(), defs=[{"name": "call", "retryCount": 1, "retryDelaySeconds": 10}])
    harness.take("call")
    harness.request(failed, "update_task", ref="call", status="FAILED")
    work(harness, worker, call())
    harness.advance(10)
    assert harness.task(failed, "call").output == {"n": 1}
    assert worker.calls == 1


def test_every_kind_of_task_that_a_worker_carries_out_may_have_it(harness, worker):
    http = step("get", "HTTP", **inputs(uri="http://x", method="GET"), cacheConfig=KEPT)
    dynamic = step("any", "DYNAMIC", dynamicTaskNameParam="which", cacheConfig=KEPT)
    dynamic |= inputs(which="call", uri="/rates", method="GET")
    for queue, task in (("system.http", http), ("call", dynamic)):
        first = work(harness, worker, task, queue=queue)
        assert work(harness, worker, task, queue=queue) == first
    assert work(harness, worker, call()) == first


def test_of_two_that_go_out_at_the_same_time_both_are_carried_out(harness, worker):
    work(harness, worker, *fork("both", [call("a")], [call("b")]))
    assert worker.calls == 2


def test_a_chain_of_known_results_costs_no_worker_however_long_it_is(harness, worker):
    steps = [call(f"c{n}", uri=f"/{n}") for n in range(70)]
    work(harness, worker, *steps)
    assert worker.calls == 70
    assert work(harness, worker, *steps) == {"n": 70}
    assert worker.calls == 70


def test_a_loop_over_one_key_is_carried_out_once(harness, worker):
    work(harness, worker, loop("again", "$.again.iteration < 50", call()))
    assert worker.calls == 1


def test_the_last_word_of_one_decision_counts_for_the_tasks_behind_it(harness, worker):
    work(harness, worker, call("a"), call("b"))
    assert worker.calls == 1


def test_a_limited_task_needs_no_slot_for_what_is_known(harness, worker):
    harness.register(tasks=[{"name": "call", "concurrentExecLimit": 1}])
    work(harness, worker, call())
    holder = run_of(harness, call(uri="/slow"))
    assert work(harness, worker, call()) == {"n": 1}
    assert harness.run(holder).status == "COMPLETED"


def test_a_large_output_is_not_kept(harness):
    for _ in range(2):
        run = run_of(harness, call())
        assert harness.work({"call": lambda _: {"text": "x" * 1_100_000}}) == 1
        assert harness.run(run).status == "COMPLETED"


def test_definitions_without_it_cost_no_look(harness, monkeypatch):
    monkeypatch.setattr("engine.testing.memory_results.MemoryResults.kept_results", None)
    run = run_of(harness, step("plain"))
    assert harness.work({"plain": lambda _: {}}) == 1
    assert harness.run(run).status == "COMPLETED"


def test_what_has_run_out_is_forgotten(harness, worker):
    work(harness, worker, call())
    rescuer = Rescuer(harness.store, harness.broker.connect(), harness.clock, 1)
    rescuer.look()
    assert len(harness.store._tables.results) == 1
    harness.clock.advance(60)
    rescuer.look()
    assert not harness.store._tables.results


def test_a_small_step_budget_comes_to_the_same(worker):
    harness = Harness(settings=Settings(step_budget=3))
    steps = [call(f"c{n}", uri=f"/{n % 4}") for n in range(12)]
    work(harness, worker, *steps)
    assert worker.calls == 4
