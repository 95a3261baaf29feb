"""LAMBDA: the body of a function, carried out by the workers of INLINE (Conductor 3.15)."""

from __future__ import annotations

import json

import pytest

from engine.decider.validate import validate_workflow
from tests.unit.decider.steps import inputs, run_of, step
from workers.tasks import inline


def body(text, **given):
    return step("l", "LAMBDA", **inputs(scriptExpression=text, **given))


def carried_out(harness):
    """Take the task from the queue of the script workers and return what they make of it."""
    (taken,) = harness.take("system.inline")
    return inline.run(None, **json.loads(taken.message.body)[1])


@pytest.mark.parametrize(
    ("text", "result"), [("return $.a + 1;", 3), ("if ($.a > 1) { return 'big' } return 'small'", "big"), ("$.a", None)]
)
def test_the_result_is_what_the_body_returns(harness, text, result):
    run_of(harness, body(text, a=2))
    assert carried_out(harness) == {"result": result}


def test_a_comment_at_the_end_of_the_body_is_no_harm(harness):
    run_of(harness, body("return 1 // one"))
    assert carried_out(harness) == {"result": 1}


@pytest.mark.parametrize("step_", [body("return (;"), step("l", "LAMBDA")], ids=["broken", "without a body"])
def test_mistakes_are_told_when_it_is_registered(step_):
    _, warnings = validate_workflow({"name": "flow", "tasks": [step_]}, lambda names: {})
    assert "tasks[0].inputParameters.scriptExpression" in {doubt.path for doubt in warnings}
