"""What is wrong with an event handler is told at once, each mistake with its path."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import BadDefinition
from engine.handling.check import check_handler

START = {"action": "start_workflow", "start_workflow": {"name": "ship", "input": {"order": "${id}"}}}


def handler(**changes: Any) -> dict[str, Any]:
    return {"name": "on-order", "event": "amqp_queue:orders", "actions": [START], "active": True, **changes}


def faults(**changes: Any) -> dict[str, str]:
    with pytest.raises(BadDefinition) as caught:
        check_handler(handler(**changes))
    return {fault.path: str(fault) for fault in caught.value.faults}


def test_a_handler_is_printed_as_it_was_written() -> None:
    written = handler(condition="$.total > 1", actions=[{**START, "expandInlineJSON": True}])
    printed = check_handler({**written, "unknown": 1}).to_json()
    assert printed["actions"] == [
        {
            "action": "start_workflow",
            "start_workflow": {"name": "ship", "input": {"order": "${id}"}},
            "expandInlineJSON": True,
        }
    ]
    assert {key: printed[key] for key in ("name", "event", "active", "condition")} == {
        key: written[key] for key in ("name", "event", "active", "condition")
    }


def test_a_handler_sleeps_unless_it_is_told_to_be_active() -> None:
    written = handler()
    del written["active"]
    assert check_handler(written).active is False


def test_every_mistake_is_told() -> None:
    assert set(faults(name=" ", event="amqp_queue:", condition="$.(", actions=[])) == {
        "name",
        "event",
        "condition",
        "actions",
    }


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"name": "x" * 300}, "name", "300 characters"),
        ({"name": "a\nb"}, "name", "no name may have"),
        ({"event": ""}, "event", "for example amqp_queue:orders"),
        ({"event": "amqp_queue:"}, "event", "Illegal event"),
        ({"event": "amqp_queue:baton.start"}, "event", "engine's own messages"),
        ({"event": "amqp_queue:" + "x" * 600}, "event", "at most 512"),
        ({"evaluatorType": "python"}, "evaluatorType", "javascript, graaljs, value-param"),
        ({"actions": [START] * 101}, "actions", "may have 100"),
        ({"actions": [{"action": "start_agent"}]}, "actions[0].action", "must be one of start_workflow"),
        ({"actions": [START, {"action": "fail_task"}]}, "actions[1].fail_task", "is missing"),
        ({"actions": [{**START, "start_workflow": {}}]}, "actions[0].start_workflow.name", "names the workflow"),
        (
            {"actions": [{"action": "complete_task", "complete_task": {"workflowId": "${id}"}}]},
            "actions[0].complete_task.taskId",
            "workflowId and taskRefName",
        ),
        (
            {"actions": [{"action": "terminate_workflow", "terminate_workflow": {}}]},
            "actions[0].terminate_workflow.workflowId",
            "names the run",
        ),
        (
            {"actions": [{"action": "update_workflow_variables", "update_workflow_variables": {}}]},
            "actions[0].update_workflow_variables.workflowId",
            "names the run",
        ),
        (
            {"actions": [{"action": "start_workflow", "start_workflow": {"name": "a", "input": {"x": "${ a}"}}}]},
            "actions[0].start_workflow.input.x",
            "is not valid",
        ),
        ({"actions": "none"}, "actions", ""),
    ],
)
def test_a_mistake_is_told_with_its_path(changes: dict[str, Any], path: str, words: str) -> None:
    assert words in faults(**changes)[path]


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(BadDefinition, match="must be a JSON object"):
        check_handler([handler()])
