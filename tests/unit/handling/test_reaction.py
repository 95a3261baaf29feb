"""What a handler makes of a message: conditions, expressions, and one start or request for each action."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from engine.handling.check import check_handler
from engine.handling.reaction import Act, Occurrence, Reaction, Surroundings, act_id, react
from engine.model.event import StartWorkflow
from engine.model.request import Request

AROUND = Surroundings(environment={"REGION": "north"})
EVENT = "amqp_queue:orders"
MARKS = {"conductor.event.messageId": "m-1", "conductor.event.name": EVENT}


def start(**fields: Any) -> dict[str, Any]:
    return {"action": "start_workflow", "start_workflow": {"name": "ship", **fields}}


def reaction(
    *actions: dict[str, Any],
    payload: Any = None,
    body: bytes | None = None,
    around: Surroundings = AROUND,
    **fields: Any,
) -> Reaction:
    written = {"name": "on-order", "event": EVENT, "active": True, "actions": actions or [start()], **fields}
    occurrence = Occurrence(message_id="m-1", body=json.dumps(payload).encode() if body is None else body)
    return react(check_handler(written), occurrence, around)


def act(*actions: dict[str, Any], **options: Any) -> Act:
    (only,) = reaction(*actions, **options).acts
    return only


def started(*actions: dict[str, Any], **options: Any) -> StartWorkflow:
    work = act(*actions, **options).work
    assert isinstance(work, StartWorkflow)
    return work


def asked(*actions: dict[str, Any], **options: Any) -> Request:
    work = act(*actions, **options).work
    assert isinstance(work, Request)
    return work


# starts


def test_a_start_has_what_the_message_says_and_where_it_came_from() -> None:
    wanted = start(
        version=3, input={"order": "${id}", "whole": "${$}"}, correlationId="order-${id}", priority="${urgency}"
    )
    work = started(wanted, payload={"id": 7, "urgency": 50})
    assert (work.name, work.version, work.correlation_id, work.priority) == ("ship", 3, "order-7", 50)
    assert work.input == {"order": 7, "whole": {"id": 7, "urgency": 50}, **MARKS}
    assert work.event == EVENT
    assert work.created_by == "event handler on-order"


def test_a_message_that_comes_again_starts_the_same_run() -> None:
    first, again = started(payload={}), started(payload={})
    assert first.workflow_id == again.workflow_id == first.event_id == act_id("on-order", EVENT, "m-1", 0)


def test_each_action_handler_event_and_message_has_an_id_of_its_own() -> None:
    ids = {
        act_id("a", "e", "m", 0),
        act_id("a", "e", "m", 1),
        act_id("b", "e", "m", 0),
        act_id("a", "f", "m", 0),
        act_id("a", "e", "n", 0),
    }
    assert len(ids) == 5
    assert [each.index for each in reaction(start(), start(), payload={}).acts] == [0, 1]


def test_an_idempotency_key_names_the_run() -> None:
    keyed = start(idempotencyKey="order-${id}")
    one, other = started(keyed, payload={"id": 1}), started(keyed, payload={"id": 2})
    assert one.idempotency_key == "order-1"
    assert one.workflow_id != other.workflow_id
    assert one.workflow_id != act_id("on-order", EVENT, "m-1", 0)


def test_domains_come_from_the_action_or_else_from_the_message() -> None:
    of_message = {"taskToDomain": {"pack": "blue"}}
    assert started(payload=of_message).task_to_domain == {"pack": "blue"}
    assert started(start(taskToDomain={"pack": "${x}"}), payload={**of_message, "x": "red"}).task_to_domain == {
        "pack": "red"
    }


def test_a_message_that_makes_no_start_is_a_fault() -> None:
    fault = act(start(priority="${urgency}"), payload={"urgency": "very"}).fault
    assert fault is not None
    assert "priority must be a whole number" in fault


def test_the_environment_may_be_read() -> None:
    assert started(start(input={"r": "${workflow.env.REGION}"}), payload={}).input["r"] == "north"


# payloads


def test_a_message_that_is_no_json_is_its_text() -> None:
    assert started(start(input={"text": "${$}", "none": "${a.b}"}), body=b"hello \xff").input == {
        "text": "hello \ufffd",
        "none": None,
        **MARKS,
    }


def test_a_list_can_be_looked_into() -> None:
    assert started(start(input={"x": "${$[1].x}"}), payload=[1, {"x": 2}]).input["x"] == 2


def test_json_in_texts_is_opened_only_where_the_action_says_so() -> None:
    payload = {"order": '{"id": 7, "lines": ["{\\"sku\\": \\"a\\"}"]}', "code": "007"}
    reads = start(input={"id": "${order.id}", "sku": "${order.lines[0].sku}", "code": "${code}"})
    assert started(reads, payload=payload).input == {"id": None, "sku": None, "code": "007", **MARKS}
    opened = started({**reads, "expandInlineJSON": True}, payload=payload).input
    assert opened == {"id": 7, "sku": "a", "code": "007", **MARKS}


def test_a_message_that_is_too_large_is_a_fault_of_every_action() -> None:
    around = replace(AROUND, most_bytes=10)
    faults = [each.fault for each in reaction(start(), start(), payload="x" * 20, around=around).acts]
    assert len(faults) == 2
    assert all("the limit is 10" in str(fault) for fault in faults)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900])
def test_a_message_that_is_nested_too_deeply_does_no_harm(body: bytes) -> None:
    assert reaction(start(input={"a": "${$}"}), body=body, condition="$.a != 1") is not None


# conditions


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("$.total > 100", True),
        ("$.total > 1000", False),
        ("$.customer.vip", True),
        ("$.note.id == 7", True),
        ("$.total", True),
        ("'yes'", False),
        ("$.nothing", False),
        ("", True),
        (None, True),
    ],
)
def test_actions_are_carried_out_where_the_condition_holds(condition: str | None, holds: bool) -> None:
    payload = {"total": 150, "customer": {"vip": True}, "note": '{"id": 7}'}
    found = reaction(payload=payload, condition=condition)
    assert (not found.skipped, len(found.acts)) == (holds, int(holds))


@pytest.mark.parametrize(("flag", "holds"), [(True, True), (1, True), (0, False), ("true", False), (None, False)])
def test_a_condition_may_be_the_value_of_a_field(flag: Any, holds: bool) -> None:
    found = reaction(payload={"flag": flag}, condition="flag", evaluatorType="value-param")
    assert found.skipped is not holds
    assert reaction(payload="text", condition="flag", evaluatorType="value-param").skipped


@pytest.mark.parametrize(
    ("condition", "words"),
    [("$.a.b.c", "cannot be evaluated"), ("while (true) {}", "too much work"), ("throw 1", "cannot be evaluated")],
)
def test_a_condition_that_cannot_be_evaluated_is_a_fault_and_ends(condition: str, words: str) -> None:
    assert words in str(act(payload={}, condition=condition).fault)


# tasks and runs


def test_a_task_is_completed_by_its_run_and_reference() -> None:
    details = {"workflowId": "${run}", "taskRefName": "wait-${n}", "output": {"paid": "${paid}"}}
    request = asked({"action": "complete_task", "complete_task": details}, payload={"run": "w-1", "n": 1, "paid": True})
    assert (request.workflow_id, request.verb, request.by) == ("w-1", "update_task", "event handler on-order")
    assert request.may_repeat
    assert request.event_id == act_id("on-order", EVENT, "m-1", 0)
    assert request.arguments == {
        "ref": "wait-1",
        "status": "COMPLETED",
        "reason": None,
        "output": {
            "workflowId": "w-1",
            "taskRefName": "wait-1",
            "taskId": None,
            "reasonForIncompletion": None,
            "paid": True,
            **MARKS,
        },
    }


def test_a_task_is_failed_by_its_id_with_a_reason() -> None:
    details = {"taskId": "${task}", "reasonForIncompletion": "refused: ${why}"}
    request = asked({"action": "fail_task", "fail_task": details}, payload={"task": "w-1.4", "why": "no money"})
    assert request.workflow_id == "w-1"
    assert request.arguments["taskId"] == "w-1.4"
    assert (request.arguments["status"], request.arguments["reason"]) == ("FAILED", "refused: no money")


def test_a_run_is_terminated() -> None:
    details = {"workflowId": "${run}", "terminationReason": "cancelled by ${who}"}
    request = asked({"action": "terminate_workflow", "terminate_workflow": details}, payload={"run": "w", "who": "Ada"})
    assert (request.workflow_id, request.verb) == ("w", "terminate")
    assert request.arguments == {"reason": "cancelled by Ada"}


def test_variables_of_a_run_are_updated() -> None:
    details = {"workflowId": "${run}", "variables": {"seen": ["${id}"]}, "appendArray": True}
    action = {"action": "update_workflow_variables", "update_workflow_variables": details}
    request = asked(action, payload={"run": "w", "id": 7})
    assert (request.workflow_id, request.verb) == ("w", "update_variables")
    assert request.arguments == {"variables": {"seen": [7]}, "appendArray": True}


@pytest.mark.parametrize(
    ("action", "payload", "words"),
    [
        ({"action": "terminate_workflow", "terminate_workflow": {"workflowId": "${run}"}}, {}, "workflowId is null"),
        ({"action": "complete_task", "complete_task": {"taskId": "${t}"}}, {"t": "no id"}, "no task's id"),
        ({"action": "complete_task", "complete_task": {"taskId": "${t}"}}, {"t": 5}, "taskId is 5"),
        (
            {"action": "fail_task", "fail_task": {"workflowId": "w", "taskRefName": "${ref}"}},
            {"ref": ""},
            "taskRefName is ''",
        ),
    ],
)
def test_a_message_without_what_an_action_needs_is_a_fault_of_that_action(
    action: dict[str, Any], payload: Any, words: str
) -> None:
    good, bad = reaction(start(), action, payload=payload).acts
    assert good.work is not None
    assert words in str(bad.fault)


def test_a_failure_that_is_sent_again_concerns_only_some_actions_and_no_condition() -> None:
    handler = check_handler({"name": "h", "event": EVENT, "condition": "false", "actions": [start(), start(), start()]})
    found = react(handler, Occurrence(message_id="m+1", body=b"{}"), AROUND, only={1})
    assert [each.index for each in found.acts] == [1]
