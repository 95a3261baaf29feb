"""What a task's message becomes on its way to a worker that polls."""

from __future__ import annotations

import msgspec
import pytest

from engine.errors import BadMessage
from engine.model.request import Outcome
from engine.polling.claim import claim, giving_back, handed_out, task_json
from engine.wire.celery_message import encode_task
from engine.wire.fields import write_json
from engine.wire.message import Delivery

GRANTED = Outcome(granted=True, result={"handedOut": 1, "task": {"taskId": "run.1", "workflowInstanceId": "run"}})


def delivered(redelivered: bool = False, **fields: object) -> Delivery:
    message = encode_task(
        task_id="run.1",
        name="a",
        queue="a",
        input={"who": "Ada", "big": 2**60},
        workflow_id="run",
        reply_to="baton.events.0",
        extra_headers={"runtime_metadata": {"key": "k"}},
    )
    return Delivery(message=msgspec.structs.replace(message, **fields), queue="a", redelivered=redelivered)


def test_the_road_is_asked_for_the_task_on_behalf_of_the_worker() -> None:
    asked = claim(delivered(redelivered=True), "w1", "replies")
    assert (asked.workflow_id, asked.verb, asked.by, asked.reply_to) == ("run", "take_task", "w1", "replies")
    assert asked.arguments == {"taskId": "run.1", "workerId": "w1", "redelivered": True}


def test_the_worker_gets_the_input_as_it_is_in_the_message() -> None:
    handed = handed_out(delivered(), GRANTED)
    assert handed is not None
    assert msgspec.json.decode(write_json(task_json(handed))) == {
        "taskId": "run.1",
        "workflowInstanceId": "run",
        "inputData": {"who": "Ada", "big": 2**60},
        "runtimeMetadata": {"key": "k"},
    }


@pytest.mark.parametrize("outcome", [Outcome(granted=False, code=409), Outcome(granted=True), Outcome(granted=False)])
def test_what_the_road_refuses_or_does_not_show_is_not_handed_out(outcome: Outcome) -> None:
    assert handed_out(delivered(), outcome) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": {}},
        {"headers": {"id": "5f0c", "task": "somebody.elses"}},
        {"headers": {"id": "run.1"}},
        {"body": b"{}"},
        {"body": b"[[], 5, {}]"},
        {"body": b"\xff"},
        {"content_type": "application/x-python-serialize"},
    ],
)
def test_a_message_that_is_no_task_of_a_workflow_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(BadMessage):
        claim(delivered(**fields), "w1", "replies")


def test_a_task_is_given_back_with_what_it_had_reported() -> None:
    handed = handed_out(delivered(), GRANTED)
    assert handed is not None
    asked = giving_back(handed)
    assert (asked.workflow_id, asked.verb) == ("run", "update_task")
    assert asked.arguments == {
        "taskId": "run.1",
        "status": "IN_PROGRESS",
        "callbackAfterSeconds": 0,
        "mergeOutput": True,
    }
