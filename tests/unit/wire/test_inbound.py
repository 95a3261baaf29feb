"""Whatever arrives for the decider is told apart by its header."""

import json

import pytest

from engine.errors import BadMessage
from engine.identifier import new_id
from engine.model.event import ChildEnded, ChildStarted, StartWorkflow, TaskResult, Wake
from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.wire.inbound import decode
from engine.wire.message import START_QUEUE, Delivery, Message, events_queue
from engine.wire.partition import partition_of
from engine.wire.request_message import (
    decode_outcome,
    encode_child_ended,
    encode_child_started,
    encode_outcome,
    encode_request,
    encode_wake,
)
from engine.wire.start_message import encode_start

REQUEST = Request(
    event_id="e1",
    workflow_id="w1",
    verb="terminate",
    arguments={"reason": "enough"},
    by="ann",
    reply_to="answers",
    reply_id="r1",
)
WAKE = Wake(event_id="w1@5", workflow_id="w1", resend=True)
ENDED = ChildEnded(
    event_id="c1:FAILED",
    workflow_id="w1",
    seq=4,
    child_id="c1",
    status=WorkflowStatus.FAILED,
    output={"x": 1},
    reason="r" * 2000,
)
STARTED = ChildStarted(event_id="c1:started", workflow_id="w1", seq=4, child_id="c1")


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (REQUEST, encode_request(REQUEST, 8)),
        (WAKE, encode_wake(WAKE, 8)),
        (ENDED, encode_child_ended(ENDED, 8)),
        (STARTED, encode_child_started(STARTED, 8)),
    ],
)
def test_our_own_messages_are_read_back_from_the_workflows_partition(event, message):
    assert message.queue == events_queue(partition_of("w1", 8))
    assert message.message_id == event.event_id
    assert decode(Delivery(message=message, queue=message.queue), new_id) == event


def test_a_start_over_the_partition_queue_is_a_start():
    start = StartWorkflow(event_id="e", workflow_id="w", name="order")
    message = encode_start(start, "baton.events.3")

    assert decode(Delivery(message=message, queue="baton.events.3"), new_id) == start


def test_what_stands_in_the_start_queue_without_our_header_is_a_start():
    delivery = Delivery(message=Message(queue=START_QUEUE, body=b'{"name": "order"}'), queue=START_QUEUE)

    assert isinstance(decode(delivery, new_id), StartWorkflow)


def test_what_has_no_header_of_ours_is_a_workers_result():
    body = {"status": "SUCCESS", "result": {"a": 1}, "task_id": "w1.3"}
    message = Message(queue="baton.events.0", body=json.dumps(body).encode(), correlation_id="w1")

    event = decode(Delivery(message=message, queue="baton.events.0"), new_id)

    assert isinstance(event, TaskResult)
    assert (event.workflow_id, event.seq, event.output) == ("w1", 3, {"a": 1})


@pytest.mark.parametrize("kind", ["nonsense", 5, ["request"], "outcome"])
def test_an_unknown_kind_is_refused(kind):
    message = Message(queue="baton.events.0", body=b"{}", headers={"baton": kind})

    with pytest.raises(BadMessage, match="no kind of message"):
        decode(Delivery(message=message, queue="baton.events.0"), new_id)


@pytest.mark.parametrize("kind", ["request", "wake", "child_ended", "child_started"])
@pytest.mark.parametrize("body", [b"{}", b"[]", b"nonsense", b'{"seq": -1, "status": "ODD", "workflowId": []}'])
def test_a_broken_message_of_ours_is_refused_with_the_reason(kind, body):
    message = Message(queue="baton.events.0", body=body, headers={"baton": kind})

    with pytest.raises(BadMessage, match=r"missing|must be|not JSON"):
        decode(Delivery(message=message, queue="baton.events.0"), new_id)


def test_an_outcome_travels_to_the_asker():
    outcome = Outcome(granted=False, code=409, message="It has ended.", result={"status": "COMPLETED"})

    message = encode_outcome("answers", "r1", outcome)

    assert (message.queue, message.correlation_id, message.transient) == ("answers", "r1", True)
    assert decode_outcome(Delivery(message=message, queue="answers")) == outcome


def test_the_partition_is_the_crc_of_the_id():
    assert partition_of("123456789", 2**32) == 0xCBF43926
    assert all(0 <= partition_of(new_id(), 16) < 16 for _ in range(100))


def test_new_ids_are_version_7_and_sort_by_time():
    first = new_id()

    assert first[14] == "7"
    assert first[19] in "89ab"
    assert first != new_id()
