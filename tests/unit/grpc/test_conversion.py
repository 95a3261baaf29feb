"""Messages become Conductor's JSON, and the JSON messages."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("grpc", reason="the extra grpc is not installed")

from google.protobuf.json_format import MessageToDict, ParseDict
from msgspec import Raw

from engine.api.grpc.conversion import from_message, to_message
from engine.api.grpc.messages import message_class
from engine.errors import BadMessage


def read(kind: str, fields: dict[str, Any]) -> Any:
    """Return what we make of a message that protobuf has made."""
    return from_message(ParseDict(fields, message_class(f"conductor.proto.{kind}")()))


def written(kind: str, document: dict[str, Any]) -> Any:
    """Return what protobuf makes of a message that we have made."""
    return MessageToDict(to_message(message_class(f"conductor.proto.{kind}").DESCRIPTOR, document))


STEPS: dict[str, Any] = {
    "name": "w",
    "version": 2,
    "tasks": [
        {
            "name": "s",
            "taskReferenceName": "s",
            "type": "SWITCH",
            "inputParameters": {"x": "${workflow.input.x}", "deep": {"list": [1, [True, None], {}]}},
            "decisionCases": {"a": [{"name": "a", "taskReferenceName": "a"}], "none": []},
            "defaultCase": [{"name": "b", "taskReferenceName": "b", "optional": True}],
        },
        {"name": "f", "taskReferenceName": "f", "forkTasks": [[{"name": "c"}], [{"name": "d"}, {"name": "e"}]]},
        {"name": "l", "taskReferenceName": "l", "loopOver": [{"name": "g"}], "subWorkflowParam": {"name": "x"}},
    ],
    "outputParameters": {"y": 1.5},
}


def test_a_definition_survives_both_ways_with_lists_in_lists() -> None:
    message = to_message(message_class("conductor.proto.WorkflowDef").DESCRIPTOR, STEPS)
    # A message does not say that these were left out; what it says of the retries of a step is Conductor's -1.
    assert message.tasks[0].retry_count == -1  # type: ignore[attr-defined]
    assert from_message(message) == {**STEPS, "restartable": False, "timeoutPolicy": "TIME_OUT_WF"}


def test_zero_counts_only_where_it_says_something() -> None:
    assert read("TaskDef", {"name": "t"}) == {
        "name": "t",
        "retryCount": 0,
        "retryDelaySeconds": 0,
        "timeoutPolicy": "RETRY",
    }
    assert read("TaskResult", {"taskId": "a.1"}) == {"taskId": "a.1", "status": "IN_PROGRESS"}
    assert read("WorkflowTask", {"name": "t"}) == {"name": "t", "retryCount": 0}
    assert read("WorkflowTask", {"name": "t", "retryCount": -1}) == {"name": "t"}
    assert read("StartWorkflowRequest", {"name": "w"}) == {"name": "w"}


def test_actions_of_event_handlers_are_written_as_conductors_json_does() -> None:
    handler = {
        "name": "h",
        "actions": [
            {"action": "start_workflow", "start_workflow": {"name": "w"}, "expandInlineJSON": True},
            {"action": "fail_task", "fail_task": {"taskId": "a.1", "output": {"n": 1}}},
        ],
        "active": True,
    }
    message = written("EventHandler", handler)
    assert message["actions"][1] == {"action": "FAIL_TASK", "failTask": {"taskId": "a.1", "output": {"n": 1}}}
    assert read("EventHandler", message) == handler


@pytest.mark.parametrize(
    ("number", "becomes"),
    [(0, 0), (-3.0, -3), (1.5, 1.5), (2**53, 2**53), (1e300, 1e300), (-0.25, -0.25)],
)
def test_whole_numbers_are_whole_again_as_far_as_doubles_are_exact(number: float, becomes: float) -> None:
    found = read("TaskResult", {"outputData": {"n": number}})["outputData"]["n"]
    assert (found, type(found)) == (becomes, type(becomes))


def test_numbers_that_json_does_not_know_are_refused() -> None:
    result: Any = message_class("conductor.proto.TaskResult")()
    result.output_data["n"].number_value = float("nan")
    with pytest.raises(BadMessage, match="nan"):
        from_message(result)


def test_words_that_nobody_knows_are_refused() -> None:
    result: Any = message_class("conductor.proto.TaskResult")()
    result.status = 99
    with pytest.raises(BadMessage, match=r"Status is 99.*3 \(COMPLETED\)"):
        from_message(result)


def test_whatever_a_task_has_can_be_written() -> None:
    strange = {
        "taskId": 7,
        "seq": "12",
        "retryCount": "many",
        "responseTimeoutSeconds": 2**70,
        "status": "UNHEARD_OF",
        "inputData": Raw(b'{"huge": 1' + b"0" * 400 + b', "nothing": null, "text": "\\u0000"}'),
        "outputData": {"a": ()},
        "workflowTask": {"name": "t", "joinOn": "no list", "inputParameters": ["no mapping"]},
        "unknown": {},
    }
    assert written("Task", strange) == {
        "taskId": "7",
        "seq": 12,
        "responseTimeoutSeconds": str(2**63 - 1),
        "inputData": {"huge": "1" + "0" * 400, "nothing": None, "text": "\0"},
        "outputData": {"a": []},
        "workflowTask": {"name": "t", "retryCount": -1},
    }
