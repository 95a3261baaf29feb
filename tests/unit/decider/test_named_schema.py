"""Schemas that are only named: runs are held to what is registered when they begin."""

from __future__ import annotations

import pytest
import structlog

from engine.decider.validate import validate_task, validate_workflow
from engine.model.schema_def import SchemaDef, SchemaKind
from tests.unit.decider.steps import child, inputs, run_of, step

NAMED = {"name": "order", "version": 2}
WHOLE_NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}}
ANYTHING = {"type": "object"}


def put(harness, data=WHOLE_NUMBER, version=2, **fields):
    with harness.store.transaction() as transaction:
        transaction.put_schemas([SchemaDef(name="order", version=version, data=data, **fields)])


def test_an_input_is_held_to_the_registered_schema(harness):
    put(harness)
    put(harness, ANYTHING, version=1)
    put(harness, ANYTHING, version=3)
    harness.register({"name": "kid", "tasks": [step("k")], "inputSchema": NAMED})
    run = run_of(harness, child("c", "kid", **inputs(n="many")))
    assert "The input is not as the schema order demands: n:" in harness.run(run).reason


def test_a_schema_without_a_version_is_the_first(harness):
    put(harness, version=1)
    put(harness, ANYTHING)
    run = run_of(harness, step("a"), outputSchema={"name": "order"}, outputParameters={"n": "x"})
    harness.work({"a": lambda _: {}})
    assert harness.run(run).status == "FAILED"


def test_what_stands_in_the_definition_goes_before_what_is_registered(harness):
    put(harness)
    run = run_of(harness, step("a"), given={"n": "many"}, inputSchema={**NAMED, "data": ANYTHING})
    assert harness.run(run).status == "RUNNING"


@pytest.mark.parametrize("inline", [False, True], ids=["registered", "written into the step"])
def test_tasks_are_held_to_it_too(harness, inline):
    put(harness)
    definition = {"name": "a", "retryCount": 0, "enforceSchema": True, "inputSchema": NAMED}
    more = {"taskDefinition": definition} if inline else {}
    run = run_of(harness, step("a", **inputs(n="many"), **more), defs=[] if inline else [definition])
    assert harness.task(run, "a").status == "FAILED_WITH_TERMINAL_ERROR"


def test_a_task_that_is_found_at_run_time_is_held_to_it_too(harness):
    put(harness)
    dynamic = step("d", "DYNAMIC", **inputs(which="a", n="many"), dynamicTaskNameParam="which")
    run = run_of(harness, dynamic, defs=[{"name": "a", "retryCount": 0, "enforceSchema": True, "inputSchema": NAMED}])
    assert harness.task(run, "d").status == "FAILED_WITH_TERMINAL_ERROR"


def test_a_run_keeps_to_the_schema_that_it_began_with(harness):
    put(harness, ANYTHING)
    definition = {"outputSchema": NAMED, "outputParameters": {"n": "x"}}
    old = run_of(harness, step("a"), **definition)
    put(harness)
    new = run_of(harness, step("a"), **definition)
    harness.work({"a": lambda _: {}})
    assert (harness.run(old).status, harness.run(new).status) == ("COMPLETED", "FAILED")


def test_nothing_is_held_to_a_schema_that_is_missing_and_the_log_says_so(harness):
    with structlog.testing.capture_logs() as logged:
        run = run_of(harness, step("a"), given={"n": "many"}, inputSchema=NAMED)
    assert harness.run(run).status == "RUNNING"
    told = [each for each in logged if each["event"] == "schema.missing"]
    assert [(each["schema"], each["version"]) for each in told] == [("order", 2)]


def warnings(validate, document, *registered):
    known = {each.key: each for each in registered}
    return [str(each) for each in validate(document, known)]


def of_workflow(document, known):
    whole = {"name": "flow", "tasks": [step("a", **document.pop("step", {}))], **document}
    return validate_workflow(whole, lambda _: {}, lambda keys: {key: known[key] for key in keys & known.keys()})[1]


def of_task(document, known):
    return validate_task({"name": "a", **document}, lambda keys: {key: known[key] for key in keys & known.keys()})[1]


ORDER = SchemaDef(name="order", version=2, data=ANYTHING)


def test_a_schema_that_nobody_has_registered_is_warned_of_where_it_counts():
    (told,) = warnings(of_workflow, {"inputSchema": NAMED})
    assert told.startswith("inputSchema: no schema 'order' is registered in version 2")
    assert warnings(of_workflow, {"inputSchema": NAMED, "enforceSchema": False}) == []
    assert warnings(of_workflow, {"inputSchema": NAMED}, ORDER) == []
    (told,) = warnings(of_task, {"outputSchema": NAMED, "enforceSchema": True})
    assert told.startswith("outputSchema: no schema 'order'")
    assert warnings(of_task, {"outputSchema": NAMED}) == []
    inline = {"taskDefinition": {"name": "a", "enforceSchema": True, "inputSchema": NAMED}}
    (told,) = warnings(of_workflow, {"step": inline})
    assert told.startswith("tasks[0].taskDefinition.inputSchema: no schema 'order'")


def test_without_anybody_to_ask_it_is_not_known_what_is_registered():
    assert validate_workflow({"name": "flow", "tasks": [step("a")], "inputSchema": NAMED}, lambda _: {})[1] == ()


@pytest.mark.parametrize(
    ("schema", "registered", "words"),
    [
        ({"name": "order", "type": "AVRO", "data": {"type": "record"}}, None, "is written in AVRO"),
        (NAMED, SchemaDef(name="order", version=2, type=SchemaKind.PROTOBUF), "is written in PROTOBUF"),
        ({"externalRef": "https://schemas.example.com/order"}, None, "has neither a JSON Schema in data"),
        ({"name": "order", "version": "newest"}, None, "has neither a JSON Schema in data"),
    ],
)
def test_what_is_kept_and_not_checked_is_warned_of(schema, registered, words):
    (told,) = warnings(of_workflow, {"inputSchema": schema}, *([registered] if registered else []))
    assert words in told
