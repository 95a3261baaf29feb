"""Messages made to harm are set aside with a reason, unopened where they say that they are no JSON."""

from __future__ import annotations

import gzip
import os
import pickle
import time
from typing import Any

import pytest

from engine.errors import BadMessage
from engine.identifier import new_id
from engine.wire.inbound import decode
from engine.wire.message import Delivery, Message
from engine.wire.request_message import (
    CHILD_ENDED_KIND,
    CHILD_STARTED_KIND,
    OUTCOME_KIND,
    REQUEST_KIND,
    WAKE_KIND,
    decode_outcome,
)
from engine.wire.start_message import KIND_HEADER, START_KIND

RESULT = b'{"task_id": "w.1", "status": "SUCCESS"}'
KINDS = [None, START_KIND, REQUEST_KIND, WAKE_KIND, CHILD_ENDED_KIND, CHILD_STARTED_KIND, OUTCOME_KIND, "else"]
DEEP = b"[" * 200_000 + b"]" * 200_000
DIGITS = b"1" * 100_000


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, sign: str) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.sign,)


def delivery(body: bytes, queue: str = "baton.events.0", kind: str | None = None, **fields: Any) -> Delivery:
    headers = {**({} if kind is None else {KIND_HEADER: kind}), **fields.pop("headers", {})}
    fields.setdefault("message_id", "m1")
    return Delivery(message=Message(queue=queue, body=body, headers=headers, **fields), queue=queue)


def refusal(body: bytes, queue: str = "baton.events.0", kind: str | None = None, **fields: Any) -> str:
    began = time.process_time()
    with pytest.raises(BadMessage) as refused:
        decode(delivery(body, queue, kind, **fields), new_id)
    assert time.process_time() - began < 1
    return str(refused.value)


@pytest.mark.parametrize("queue", ["baton.events.0", "baton.start"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("named", ["application/x-python-serialize", "application/data", "application/json"])
def test_a_pickle_is_never_opened(queue: str, kind: str | None, named: str, tmp_path: Any) -> None:
    body = pickle.dumps(Bomb(str(tmp_path / "opened")))

    refusal(body, queue, kind, content_type=named)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "named", ["application/x-python-serialize", "application/x-yaml", "application/x-msgpack", "text/html", "x" * 200]
)
def test_what_says_that_it_is_no_json_is_not_read_even_if_it_is(kind: str | None, named: str) -> None:
    if kind not in (OUTCOME_KIND, "else"):
        assert "only 'application/json' is read" in refusal(RESULT, kind=kind, content_type=named)


def test_an_answer_to_a_request_is_read_as_json_alone() -> None:
    with pytest.raises(BadMessage, match="only 'application/json'"):
        decode_outcome(delivery(b'{"granted": true}', content_type="application/x-python-serialize"))


@pytest.mark.parametrize("named", ["application/json", "application/json; charset=utf-8", "", "application/a+json"])
def test_json_may_be_called_by_its_names(named: str) -> None:
    assert decode(delivery(RESULT, content_type=named), new_id).workflow_id == "w"


def test_compressed_messages_are_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 50_000_000 + RESULT)

    assert "encoded as" in refusal(bomb, headers={"compression": "application/x-gzip"})
    assert "encoded as" in refusal(bomb, "baton.start", headers={"compression": "gzip"})
    assert "encoded as" in refusal(bomb, content_encoding="gzip")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00" * 1_000,
        b"\xff\xfe\xfd",
        DEEP,
        DIGITS,
        b'{"task_id": "w.' + DIGITS + b'", "status": "SUCCESS"}',
        b'{"task_id": "w.99999999999", "status": "SUCCESS"}',
        b'{"task_id": "' + b"w" * 1_000_000 + b'.1", "status": "SUCCESS"}',
        b'{"task_id": "w\\u0000.1", "status": "SUCCESS"}',
        b'{"task_id": "w\\n.1", "status": "SUCCESS"}',
        b'{"task_id": "../w.1", "status": "SUCCESS"}',
        b'{"task_id": "\\ud800.1", "status": "SUCCESS"}',
        b'{"task_id": "w.1"}',
        b'{"task_id": 5, "status": []}',
        b"[" + RESULT + b"]",
    ],
)
def test_what_is_no_result_is_set_aside(body: bytes) -> None:
    assert len(refusal(body)) < 1_000


@pytest.mark.parametrize(
    "result",
    [
        DEEP[:180_000] + DEEP[-180_000:],
        DIGITS,
        b"1e999",
        b"NaN",
        b"-Infinity",
        b'"\\ud800"',
        b'{"a": 1, "a": {"a": 2}}',
        b'{"__type__": "uuid", "__value__": {"hex": "' + b"g" * 1_000 + b'"}}',
        b'{"__type__": "base64", "__value__": "\xc3\xa9"}',
        b'{"__type__": [], "__value__": {}}',
        b'{"exc_type": 5, "exc_message": {"a": 1}, "exc_module": []}',
        b'{"exc_type": "NotRegistered", "exc_message": ["{0.__class__.__mro__}"]}',
        b'{"exc_type": "TaskFailure", "exc_message": [[], {"a": 1}, 5]}',
    ],
)
@pytest.mark.parametrize("status", [b"SUCCESS", b"FAILURE", b"REVOKED", b"STARTED", b"RETRY", b"x" * 1_000_000])
def test_a_result_of_anything_is_a_fact_or_set_aside(result: bytes, status: bytes) -> None:
    try:
        fact = decode(delivery(b'{"task_id": "w.1", "status": "%s", "result": %s}' % (status, result)), new_id)
    except BadMessage:
        return
    assert len(fact.event_id) < 200
    repr(fact).encode("utf-8", "strict")


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "x", "priority": 100}',
        b'{"name": "x", "priority": ' + DIGITS + b"}",
        b'{"name": "x", "version": 1e300}',
        b'{"name": "x", "version": "1\\u0663"}',
        b'{"name": "' + b"x" * 10_000 + b'"}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "x", "workflowId": "a/../b"}',
        b'{"name": "x", "workflowId": "a\\nb"}',
        b'{"name": "x", "workflowDef": []}',
        b'{"name": "x", "taskToDomain": "y"}',
        b'{"name": "x", "input": ' + DEEP + b"}",
        b'{"name": "x", "externalInputPayloadStoragePath": "/etc/passwd"}',
        b'{"name": "x", "idempotencyStrategy": "DROP TABLE"}',
    ],
)
def test_a_start_that_cannot_be_is_set_aside(body: bytes) -> None:
    assert len(refusal(body, "baton.start")) < 1_000


@pytest.mark.parametrize("kind", [REQUEST_KIND, WAKE_KIND, CHILD_ENDED_KIND, CHILD_STARTED_KIND, START_KIND])
def test_ids_of_any_length_are_set_aside(kind: str) -> None:
    body = b'{"request": "pause", "wake": "w", "childEnded": "c", "childStarted": "c", "name": "x", "workflowId": "w",'
    body += b' "seq": 1, "status": "FAILED"}'

    assert "message_id" in refusal(body, kind=kind, message_id="m" * 1_000_000)


def test_the_ties_of_a_child_count_only_in_our_own_messages() -> None:
    body = b'{"name": "x", "parentWorkflowId": "p", "parentWorkflowTaskId": "p.1", "depth": 3}'

    start = decode(delivery(body, "baton.start"), new_id)

    assert (start.parent_id, start.parent_task_id, start.depth) == (None, None, 0)
