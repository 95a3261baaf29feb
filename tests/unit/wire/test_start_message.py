"""Start messages by strangers and by us."""

import json
import uuid

import pytest

from engine.errors import BadMessage
from engine.model.event import StartWorkflow
from engine.wire.message import START_QUEUE, Delivery, Message
from engine.wire.start_message import decode_start, encode_start


def arrived(body, **properties):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(message=Message(queue=START_QUEUE, body=raw, **properties), queue=START_QUEUE)


def fresh():
    return "fresh-id"


def test_a_name_alone_is_enough():
    start = decode_start(arrived({"name": "order"}), fresh)

    assert start == StartWorkflow(event_id="fresh-id", workflow_id="fresh-id", name="order")


def test_every_field_of_a_start_workflow_request_is_read():
    body = {
        "name": "order",
        "version": "3",
        "input": {"a": [1, None]},
        "correlationId": 17,
        "priority": 42,
        "workflowId": "order-17",
        "idempotencyKey": "k",
        "idempotencyStrategy": "FAIL",
        "taskToDomain": {"*": "blue"},
        "createdBy": "ann",
        "event": "kafka:orders",
        "unknown": True,
    }

    start = decode_start(arrived(body, message_id="m", reply_to="answers", correlation_id="c"), fresh)

    assert start == StartWorkflow(
        event_id="m",
        workflow_id="order-17",
        name="order",
        version=3,
        input={"a": [1, None]},
        correlation_id="17",
        priority=42,
        task_to_domain={"*": "blue"},
        idempotency_key="k",
        idempotency_strategy="FAIL",
        created_by="ann",
        event="kafka:orders",
        reply_to="answers",
        reply_id="c",
    )


def test_a_resend_with_the_same_message_id_names_the_same_run():
    first, again, other = (
        decode_start(arrived({"name": "order"}, message_id=message_id), fresh) for message_id in ("m1", "m1", "m2")
    )

    assert first == again
    assert first.workflow_id != other.workflow_id
    assert uuid.UUID(first.workflow_id).version == 5


def test_an_idempotency_key_outweighs_the_message_id():
    body = {"name": "order", "idempotencyKey": "cart-9"}

    first, again = (decode_start(arrived(body, message_id=message_id), fresh) for message_id in ("m1", "m2"))

    assert first.workflow_id == again.workflow_id


def test_the_same_message_id_under_another_name_is_another_run():
    ids = {decode_start(arrived({"name": name}, message_id="1"), fresh).workflow_id for name in ("order", "refund")}

    assert len(ids) == 2


def test_the_name_inside_an_inline_definition_wins():
    start = decode_start(arrived({"name": "a", "workflowDef": {"name": "b", "tasks": []}}), fresh)

    assert start.name == "b"
    assert start.workflow_def == {"name": "b", "tasks": []}


def test_every_wrong_field_is_named_at_once():
    body = {
        "version": "three",
        "input": [1],
        "priority": 100,
        "workflowId": "a/b",
        "correlationId": {"x": 1},
        "taskToDomain": "blue",
        "idempotencyStrategy": "MAYBE",
        "externalInputPayloadStoragePath": "s3://x",
    }

    with pytest.raises(BadMessage) as error:
        decode_start(arrived(body), fresh)

    for field in ("name", *body):
        assert field in str(error.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"   ", "empty"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"name": "a", "input": {"x": "\xff"}}', "not JSON"),
        (b'{"name": "a", "input": {"x": NaN}}', "not JSON"),
        (b'{"name": "a", "input": {"x": "\\ud800"}}', "not JSON"),
        (b"[]", "a list"),
        (b"null", "null"),
        (b'"order"', "text"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"name": "a", "input": null}', "input must be an object, not null"),
        (b'{"name": "  "}', "name is missing"),
        (b'{"name": "a\\u0000b"}', "NUL"),
        (json.dumps({"name": "x" * 513}).encode(), "513 characters"),
    ],
)
def test_what_is_no_start_message_is_refused_with_the_reason(body, reason):
    with pytest.raises(BadMessage, match=reason):
        decode_start(arrived(body), fresh)


def test_a_message_above_the_size_limit_is_refused():
    with pytest.raises(BadMessage, match="the limit is 100"):
        decode_start(arrived({"name": "order", "input": {"x": "y" * 100}}), fresh, limit=100)


def test_large_and_odd_input_passes_unchanged():
    payload = {"big": "x" * 5_000_000, "nul": "\0", "deep": {str(n): n for n in range(10_000)}, "long": 2**80}

    start = decode_start(arrived({"name": "order", "input": payload}), fresh)

    assert start.input == payload


def test_only_our_own_messages_may_name_a_parent():
    body = {"name": "child", "parentWorkflowId": "p", "parentWorkflowTaskId": "p.3", "depth": 2}

    stranger, ours = decode_start(arrived(body), fresh), decode_start(arrived(body, headers={"baton": "start"}), fresh)

    assert (stranger.parent_id, stranger.parent_task_id, stranger.depth) == (None, None, 0)
    assert (ours.parent_id, ours.parent_task_id, ours.depth) == ("p", "p.3", 2)


def test_what_we_encode_we_read_back():
    start = StartWorkflow(
        event_id="e",
        workflow_id="w",
        name="child",
        version=0,
        input={"a": None},
        correlation_id="c",
        priority=95,
        task_to_domain={"t": "d"},
        workflow_def={"name": "child", "tasks": []},
        idempotency_key="k",
        idempotency_strategy="RETURN_EXISTING",
        created_by="b",
        event="ev",
        parent_id="p",
        parent_task_id="p.3",
        depth=4,
        reply_to="r",
        reply_id="i",
    )

    message = encode_start(start)

    assert message.priority == 9
    assert decode_start(Delivery(message=message, queue=START_QUEUE), fresh) == start
