"""inputSchema and outputSchema: what people believe they are protected from."""

from __future__ import annotations

import pytest

from engine.errors import BadDefinition
from tests.unit.decider.steps import child, echo, inputs, run_of, step

ORDER = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}


def schema(data=ORDER, **fields):
    return {"name": "order", "version": 1, "type": "JSON", "data": data, **fields}


def buried(harness):
    """Return the reasons of the messages that were set aside."""
    return [delivery.message.headers["reason"] for delivery in harness.take("baton.dead")]


def test_an_input_as_the_schema_wants_it_starts_a_run(harness):
    run = run_of(harness, step("a"), given={"n": 1}, inputSchema=schema())
    assert harness.run(run).status == "RUNNING"


def test_the_template_may_bring_what_the_schema_wants(harness):
    run = run_of(harness, step("a"), inputSchema=schema(), inputTemplate={"n": 5})
    assert harness.run(run).input == {"n": 5}


def test_a_wrong_input_is_refused_with_every_fault(harness):
    harness.register({"name": "kid", "tasks": [step("k")], "inputSchema": schema()})
    run = run_of(harness, child("c", "kid", **inputs(n="many")))
    assert harness.run(run).status == "FAILED"
    reason = harness.run(run).reason
    assert "Workflow kid cannot be started: The input is not as the schema order demands" in reason
    assert 'n: the value is not of type "integer"' in reason


def test_a_complaint_never_shows_the_value(harness):
    harness.register(
        {"name": "kid", "tasks": [step("k")], "inputSchema": schema({"properties": {"pin": {"const": 7}}})}
    )
    run = run_of(harness, child("c", "kid", **inputs(pin="4711")))
    assert "4711" not in harness.run(run).reason


def test_an_output_that_breaks_the_promise_fails_the_run(harness):
    run = run_of(
        harness,
        step("a"),
        outputSchema=schema(),
        outputParameters={"n": "${a.output.n}"},
        failureWorkflow="repair",
    )
    harness.work({"a": lambda _: {"n": 0}})
    assert harness.run(run).status == "FAILED"
    assert "The output is not as the schema order demands: n: the value is less than" in harness.run(run).reason
    assert harness.run(run).output["n"] == 0
    assert harness.run(run).failure_workflow_id


def test_a_run_that_fails_for_another_reason_keeps_it(harness):
    run = run_of(
        harness,
        step("t", "TERMINATE", **inputs(terminationStatus="FAILED", terminationReason="no")),
        outputSchema=schema(),
    )
    assert harness.run(run).reason == "no"


@pytest.mark.parametrize(
    "fields",
    [
        {"enforceSchema": False, "inputSchema": schema(), "outputSchema": schema()},
        {"inputSchema": {"name": "order", "version": 1}},
        {"inputSchema": schema(type="AVRO")},
        {"inputSchema": schema({})},
        {"inputSchema": None},
    ],
    ids=["not enforced", "only named", "another kind", "empty", "none"],
)
def test_what_is_no_schema_to_hold_on_to_demands_nothing(harness, fields):
    run = run_of(harness, step("a"), given={"n": "many"}, **fields)
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"type": "objekt"}, "not a JSON Schema"),
        ({"$ref": "http://schemas.example.com/order.json"}, "not part of the schema"),
        ({"$ref": "file:///etc/passwd"}, "not part of the schema"),
        ({"properties": {"a": {"pattern": "(?<=x)y"}}}, "regex"),
    ],
)
def test_a_schema_that_cannot_be_used_is_found_when_it_is_registered(harness, data, words):
    with pytest.raises(BadDefinition, match=words) as caught:
        run_of(harness, step("a"), inputSchema=schema(data))
    assert [fault.path for fault in caught.value.faults] == ["inputSchema.data"]


def test_a_pattern_cannot_be_made_to_hang(harness):
    data = {"properties": {"s": {"pattern": "^(a+)+$"}}}
    harness.register({"name": "kid", "tasks": [step("k")], "inputSchema": schema(data)})
    run = run_of(harness, child("c", "kid", **inputs(s="a" * 50_000 + "!")))
    assert harness.run(run).status == "FAILED"


# tasks


def checked(**fields):
    return [{"name": "a", "retryCount": 1, "retryDelaySeconds": 0, "enforceSchema": True, **fields}]


def test_a_task_with_a_wrong_input_is_handed_to_nobody(harness):
    run = run_of(harness, step("a", **inputs(n="many")), defs=checked(inputSchema=schema()))
    assert harness.take("a") == []
    task = harness.task(run, "a")
    assert (task.status, task.attempt) == ("FAILED_WITH_TERMINAL_ERROR", 0)
    assert "The input is not as the schema order demands" in task.reason


def test_a_task_with_a_wrong_output_has_failed_and_may_do_better(harness):
    run = run_of(harness, step("a"), defs=checked(outputSchema=schema()))
    harness.work({"a": lambda _: {"n": 0}})
    first, second = harness.rows(run).tasks
    assert [first.status, second.status] == ["FAILED", "FAILED"]
    assert first.output == {"n": 0}
    assert "The output is not as the schema order demands" in harness.run(run).reason


def test_a_worker_that_does_better_completes_it(harness):
    answers = iter([{"n": 0}, {"n": 1}])
    run = run_of(harness, step("a"), defs=checked(outputSchema=schema()))
    harness.work({"a": lambda _: next(answers)})
    assert harness.run(run).status == "COMPLETED"


def test_schemas_of_tasks_are_kept_only_unless_they_are_to_be_enforced(harness):
    kept = checked(enforceSchema=False, inputSchema=schema(), outputSchema=schema())
    run = run_of(harness, step("a"), defs=kept)
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_task_definition_with_an_unusable_schema_is_refused(harness):
    with pytest.raises(BadDefinition, match="not a JSON Schema"):
        run_of(harness, step("a"), defs=checked(inputSchema=schema({"type": "objekt"})))
