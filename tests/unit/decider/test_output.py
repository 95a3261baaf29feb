"""What a run gives back (Conductor 4.6)."""

from __future__ import annotations

from tests.unit.decider.steps import echo, fails, fails_for_good, fork, inputs, run_of, step


def test_output_parameters_are_evaluated_at_the_end(harness):
    parameters = {
        "v": "${a.output.v}",
        "status": "${workflow.status}",
        "n": "${workflow.input.n}",
        "none": "${b.output}",
    }
    run = run_of(harness, step("a"), given={"n": 1}, outputParameters=parameters)
    harness.work({"a": lambda _: {"v": [1]}})
    assert harness.run(run).output == {"v": [1], "status": "RUNNING", "n": 1, "none": None}


def test_without_them_it_is_the_output_of_the_last_task(harness):
    run = run_of(harness, step("a"), step("b"))
    harness.work({"a": lambda _: {"v": 1}, "b": lambda _: {"v": 2}})
    assert harness.run(run).output == {"v": 2}


def test_a_worker_that_returns_no_object_has_its_result_wrapped(harness):
    run = run_of(harness, step("a"))
    harness.work({"a": lambda _: 7})
    assert harness.run(run).output == {"result": 7}


def test_a_failed_run_has_an_output_too(harness):
    run = run_of(harness, step("a"), step("b"), outputParameters={"v": "${a.output.v}", "w": "${b.output.w}"})
    harness.work({"a": lambda _: {"v": 1}, "b": fails_for_good})
    assert harness.run(run).output == {"v": 1, "w": None}


def test_after_a_failed_branch_it_is_that_of_the_open_join(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("b")]))
    harness.work({"a": fails_for_good})
    assert harness.run(run).output == {}


def test_failures_that_were_mended_are_listed_all_the_same(harness):
    run = run_of(harness, step("a"), defs=[{"name": "a", "retryCount": 1, "retryDelaySeconds": 0}])
    tries = iter([fails, echo])
    harness.work({"a": lambda given: next(tries)(given)})
    assert harness.run(run).status == "COMPLETED"
    assert (harness.run(run).failed_refs, harness.run(run).failed_names) == (("a",), ("a",))


def test_the_last_iteration_and_the_last_attempt_are_what_a_reference_means(harness):
    body = step("b", **inputs(n="${l.output.iteration}"))
    tasks = [step("l", "DO_WHILE", loopCondition="$.l.iteration < 3", loopOver=[body])]
    run = run_of(harness, *tasks, outputParameters={"n": "${b.output.n}", "second": "${b__2.output.n}"})
    harness.work({"b": echo})
    assert harness.run(run).output == {"n": 3, "second": 2}


def test_output_parameters_that_cannot_be_evaluated_do_not_keep_the_run_from_ending(harness):
    wild = {"v": "$" + "{workflow.input" + "..*" * 30 + "}"}
    given = {"a": {"a": {"a": {"a": {"a": {"a": {"a": [1] * 50}}}}}}}
    run = run_of(harness, step("n", "NOOP"), given=given, outputParameters=wild)
    assert harness.run(run).status == "COMPLETED"
