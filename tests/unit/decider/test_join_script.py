"""A JOIN with a script, which says when it has waited long enough (Orkes)."""

from __future__ import annotations

import pytest

from tests.unit.decider.steps import echo, fails, fork, loop, run_of, step
from tests.unit.decider.test_warnings import warnings

ORKES = """(function(){
  let results = {}; let pending = false;
  if ($.joinOn) {
    $.joinOn.forEach((element) => {
      if ($[element] && $[element].status !== 'COMPLETED') { results[element] = $[element].status; pending = true; }
    });
    if (pending) {
      return {"status": "IN_PROGRESS", "reasonForIncompletion": "Pending", "outputData": {"scriptResults": results}};
    }
    return true;
  }
})();"""

ANY = "$.joinOn.some(ref => $[ref] && $[ref].status == 'COMPLETED')"


def joined(expression, *refs, evaluator="js", **fields):
    """Return a fork of these steps, all optional, and its join with a script."""
    made = fork("f", *([step(ref, optional=True, retryCount=0)] for ref in refs))
    made[1] |= {"evaluatorType": evaluator, "expression": expression, **fields}
    return made


def test_the_script_of_the_documentation_waits_for_all(harness):
    run = run_of(harness, *joined(ORKES, "a", "b"), step("after"))
    harness.work({"a": echo})
    assert harness.task(run, "f_join").status == "IN_PROGRESS"
    harness.restart_decider()
    harness.work({"b": lambda _: {"v": 1}})
    assert harness.task(run, "f_join").output == {"b": {"v": 1}}
    assert "after" in harness.statuses(run)


@pytest.mark.parametrize("evaluator", ["js", "javascript", "graaljs", None])
def test_the_first_branch_may_be_enough_and_the_others_go_on(harness, evaluator):
    run = run_of(harness, *joined(ANY, "a", "b", evaluator=evaluator), step("after"))
    harness.work({"b": lambda _: {"v": 1}})
    assert harness.task(run, "f_join").output == {"b": {"v": 1}}
    harness.work({"after": echo})
    assert harness.run(run).status == "RUNNING"
    harness.restart_decider()
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_it_sees_its_input_and_what_has_not_ended(harness):
    script = "$.least <= $.joinOn.filter(ref => $[ref].status != 'SCHEDULED').length"
    run = run_of(harness, *joined(script, "a", "b", "c", inputParameters={"least": 2}))
    harness.work({"a": echo})
    assert harness.task(run, "f_join").status == "IN_PROGRESS"
    harness.work({"b": fails})
    assert harness.task(run, "f_join").status == "COMPLETED"


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ("{status: 'COMPLETED', outputData: {n: 1}}", "COMPLETED", None),
        ("{status: 'COMPLETED_WITH_ERRORS', reasonForIncompletion: 'so so'}", "COMPLETED_WITH_ERRORS", "so so"),
        ("{status: 'FAILED', reasonForIncompletion: 'too few'}", "FAILED", "too few"),
        ("{status: 'FAILED_WITH_TERMINAL_ERROR'}", "FAILED_WITH_TERMINAL_ERROR", "The join script"),
    ],
)
def test_an_object_says_how_it_ends(harness, answer, status, reason):
    run = run_of(harness, *joined(f"({answer})", "a", "b"))
    task = harness.task(run, "f_join")
    assert task.status == status
    assert (reason or "") in (task.reason or "")


def test_a_script_that_wants_to_wait_when_all_has_ended_fails_it(harness):
    run = run_of(harness, *joined("false", "a"))
    harness.work({"a": echo})
    assert harness.task(run, "f_join").status == "FAILED_WITH_TERMINAL_ERROR"
    assert "still wants to wait" in harness.run(run).reason


def test_a_broken_script_fails_it_for_good(harness):
    run = run_of(harness, *joined("nothing.there", "a"))
    assert harness.task(run, "f_join").status == "FAILED_WITH_TERMINAL_ERROR"
    assert "nothing" in harness.run(run).reason


def test_in_a_loop_it_is_asked_about_the_tasks_of_its_own_iteration(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", *joined(ANY, "a", "b")))
    harness.work({"a": echo, "b": echo})
    assert harness.run(run).status == "COMPLETED"
    assert harness.statuses(run)["f_join__2"] == "COMPLETED"


def test_python_is_told_of_and_fails_it(harness):
    steps = joined("return True", "a", evaluator="python")
    assert "python" in warnings(*steps)["tasks[1].evaluatorType"]
    run = run_of(harness, *steps)
    assert "python" in harness.task(run, "f_join").reason
