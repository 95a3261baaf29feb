"""Celery messages: what goes out is protocol 2, what comes back is read by the closed table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st
from kombu.serialization import loads
from kombu.utils.json import dumps

from engine.errors import BadMessage
from engine.model.event import TaskResult
from engine.model.status import TaskStatus
from engine.wire.celery_message import decode_result, encode_task
from engine.wire.message import Delivery, Message

TASK = "0190-run.7"
CALL_TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/venv/celery/app/trace.py", line 479, in trace_task\n    R = retval = fun(*args, **kwargs)\n'
    "TypeError: {}"
)
INNER_TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/venv/celery/app/trace.py", line 479, in trace_task\n    R = retval = fun(*args, **kwargs)\n'
    '  File "/shop/tasks.py", line 3, in resize\n    open(path)\n'
    "{}"
)


def answer(status: str = "SUCCESS", result: Any = None, **fields: Any) -> TaskResult:
    body = {"status": status, "result": result, "traceback": None, "children": [], "task_id": TASK, **fields}
    return read(dumps(body).encode())


def read(body: bytes, **options: Any) -> TaskResult:
    message = Message(queue="baton.events.0", body=body, correlation_id="somebody else's")
    return decode_result(Delivery(message=message, queue="baton.events.0"), **options)


def failure(kind: str, *arguments: Any, trace: str | None = None) -> TaskResult:
    return answer(
        "FAILURE", {"exc_type": kind, "exc_message": list(arguments), "exc_module": "builtins"}, traceback=trace
    )


def task(**changes: Any) -> Message:
    given: dict[str, Any] = {
        "task_id": TASK,
        "name": "resize",
        "queue": "eu:resize",
        "input": {"path": "a.jpg", "self": "ä"},
        "workflow_id": "0190-run",
        "reply_to": "baton.events.0",
        "priority": 3,
        "attempt": 2,
    }
    return encode_task(**{**given, **changes})


class TestOutward:
    def test_the_message_has_every_field_that_celery_itself_would_send(self) -> None:
        celerys_own = Celery().amqp.as_task_v2(TASK, "resize", kwargs={"path": "a.jpg"})
        lacking = set(celerys_own.headers) - set(task().headers)
        # All of these are about canvas, which the engine has no part in.
        assert lacking == {"group_index", "replaced_task_nesting", "stamped_headers", "stamps"}

    def test_a_celery_worker_reads_the_input_as_keyword_arguments(self) -> None:
        message = task()
        args, kwargs, embed = loads(message.body, message.content_type, message.content_encoding)
        assert (args, kwargs) == ([], {"path": "a.jpg", "self": "ä"})
        assert set(embed) == {"callbacks", "errbacks", "chain", "chord"}

    def test_workers_that_ignore_results_are_asked_to_answer(self) -> None:
        assert task().headers["ignore_result"] is False

    def test_the_answer_goes_to_the_partition_under_the_workflows_id(self) -> None:
        message = task()
        assert (message.queue, message.reply_to, message.correlation_id) == ("eu:resize", "baton.events.0", "0190-run")
        assert message.message_id == TASK

    @pytest.mark.parametrize(("given", "sent"), [(-1, 0), (0, 0), (9, 9), (10, 9)])
    def test_priorities_stay_within_the_ten_of_a_queue(self, given: int, sent: int) -> None:
        assert task(priority=given).priority == sent

    def test_a_long_input_is_shown_short(self) -> None:
        assert len(task(input={"text": "ä" * 10_000}).headers["kwargsrepr"]) < 130

    def test_extra_headers_travel_along(self) -> None:
        assert task(extra_headers={"traceparent": "00-1"}).headers["traceparent"] == "00-1"


class TestSuccess:
    def test_a_dict_is_the_output(self) -> None:
        result = answer(result={"width": 3})
        assert (result.status, result.output, result.reason) == (TaskStatus.COMPLETED, {"width": 3}, None)

    @pytest.mark.parametrize("value", [None, 3, "text", [1, 2], False])
    def test_anything_else_is_put_under_result(self, value: Any) -> None:
        assert answer(result=value).output == {"result": value}

    def test_the_task_is_known_by_the_body_not_by_the_correlation_id(self) -> None:
        result = answer()
        assert (result.workflow_id, result.seq) == ("0190-run", 7)

    def test_kombus_tags_become_plain_json(self) -> None:
        from datetime import UTC, date, datetime, time
        from decimal import Decimal
        from uuid import UUID

        value = {
            "at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            "day": date(2026, 1, 2),
            "time": time(3, 4),
            "price": Decimal("1.50"),
            "id": UUID(int=1),
            "text_bytes": b"abc",
            "raw_bytes": [b"\xff"],
            "unknown": {"__type__": "moon", "__value__": 1},
            "not a tag": {"__type__": "uuid"},
        }
        assert answer(result=value).output == {
            "at": "2026-01-02T03:04:00+00:00",
            "day": "2026-01-02",
            "time": "03:04:00",
            "price": "1.50",
            "id": "00000000-0000-0000-0000-000000000001",
            "text_bytes": "YWJj",
            "raw_bytes": ["/w=="],
            "unknown": {"__type__": "moon", "__value__": 1},
            "not a tag": {"__type__": "uuid"},
        }

    def test_bytes_alone_are_a_result(self) -> None:
        assert answer(result=b"abc").output == {"result": "YWJj"}

    @pytest.mark.parametrize(
        ("value", "named"), [(float("nan"), "NaN"), ({"a": float("-inf")}, "infinite"), ("\ud800", "surrogate")]
    )
    def test_what_json_does_not_know_fails_the_task(self, value: Any, named: str) -> None:
        result = answer(result=value)
        assert result.status is TaskStatus.FAILED
        assert named in str(result.reason)
        json.dumps(result.output, allow_nan=False).encode()

    def test_a_result_above_the_limit_fails_the_task_and_names_both_sizes(self) -> None:
        body = dumps({"status": "SUCCESS", "result": "x" * 2_000, "task_id": TASK}).encode()
        result = read(body, max_result_bytes=1_000)
        assert result.status is TaskStatus.FAILED
        assert result.output == {}
        assert f"{len(body):,}" in str(result.reason)
        assert "1,000" in str(result.reason)


class TestFailure:
    def test_an_exception_reads_as_python_prints_it(self) -> None:
        result = failure("ValueError", "no such file")
        assert (result.status, result.reason) == (TaskStatus.FAILED, "ValueError: no such file")

    def test_the_traceback_tells_more_than_the_arguments(self) -> None:
        printed = "FileNotFoundError: [Errno 2] No such file or directory: 'a.jpg'"
        result = failure("FileNotFoundError", 2, "No such file or directory", trace=INNER_TRACE.format(printed))
        assert result.reason == printed

    def test_the_traceback_is_kept_beside_the_reason_and_only_its_end(self) -> None:
        result = failure("ValueError", "no", trace="x" * 9_000 + "ValueError: no")
        assert result.reason == "ValueError: no"
        assert len(result.output["traceback"]) == 4_000
        assert result.output["traceback"].endswith("ValueError: no")

    def test_an_exception_without_words_is_its_name(self) -> None:
        assert failure("KeyboardError").reason == "KeyboardError"

    def test_a_long_message_is_cut(self) -> None:
        assert len(str(failure("ValueError", "x" * 900).reason)) == 500

    def test_an_exception_that_could_not_be_sent_is_named_all_the_same(self) -> None:
        result = failure("UnpickleableExceptionWrapper", "shop", "NoStock", ["size 3"], "NoStock('size 3')")
        assert result.reason == "NoStock: size 3"

    @pytest.mark.parametrize(
        "message",
        [
            "resize() got an unexpected keyword argument 'colour'",
            "resize() missing 1 required positional argument: 'path'",
            "resize() got multiple values for argument 'self'",
            "resize() takes 0 positional arguments but 1 was given",
        ],
    )
    def test_wrong_arguments_are_terminal(self, message: str) -> None:
        for trace in (None, CALL_TRACE.format(message)):
            assert failure("TypeError", message, trace=trace).status is TaskStatus.FAILED_WITH_TERMINAL_ERROR

    def test_a_type_error_inside_the_task_is_not(self) -> None:
        message = "open() missing 1 required positional argument: 'file'"
        deeper = failure("TypeError", message, trace=INNER_TRACE.format(f"TypeError: {message}"))
        unrelated = failure("TypeError", "unsupported operand type(s) for +: 'int' and 'str'")
        assert (deeper.status, unrelated.status) == (TaskStatus.FAILED, TaskStatus.FAILED)

    def test_an_unknown_task_name_is_terminal_and_says_what_to_do(self) -> None:
        result = failure("NotRegistered", "resize")
        assert result.status is TaskStatus.FAILED_WITH_TERMINAL_ERROR
        assert "no task named resize" in str(result.reason)

    def test_a_terminal_error_is_terminal_whatever_its_module(self) -> None:
        result = failure("TerminalError", "no such customer", {"id": 3})
        assert (result.status, result.reason) == (TaskStatus.FAILED_WITH_TERMINAL_ERROR, "no such customer")
        assert result.output == {"id": 3}

    @pytest.mark.parametrize(
        ("terminal", "status"), [(False, TaskStatus.FAILED), (True, TaskStatus.FAILED_WITH_TERMINAL_ERROR)]
    )
    def test_a_task_failure_brings_its_output(self, terminal: bool, status: TaskStatus) -> None:
        result = failure("TaskFailure", "404 Not Found", {"response": {"statusCode": 404}}, terminal)
        assert (result.status, result.reason) == (status, "404 Not Found")
        assert result.output == {"response": {"statusCode": 404}}

    def test_a_surrogate_in_a_message_does_not_hide_the_failure(self) -> None:
        assert failure("OSError", "no file \udcff").reason == r"OSError: no file \udcff"

    def test_a_hard_time_limit_is_put_in_words(self) -> None:
        assert failure("TimeLimitExceeded", 2.0).reason == (
            "TimeLimitExceeded: the task was killed at its hard time limit of 2.0 seconds"
        )

    def test_a_rejected_message_gives_the_reason_alone(self) -> None:
        assert failure("Reject", "not today", False).reason == "Reject: not today"

    @pytest.mark.parametrize(("why", "reason"), [("revoked", "revoked"), ("expired", "revoked: expired")])
    def test_a_revoked_task_fails(self, why: str, reason: str) -> None:
        result = answer("REVOKED", {"exc_type": "TaskRevokedError", "exc_message": [why]})
        assert (result.status, result.reason) == (TaskStatus.FAILED, reason)

    @pytest.mark.parametrize("odd", [None, "text", 3, [], {"exc_type": 3, "exc_message": {"a": 1}}])
    def test_a_failure_in_an_odd_form_is_a_failure(self, odd: Any) -> None:
        result = answer("FAILURE", odd)
        assert result.status is TaskStatus.FAILED
        assert result.reason


class TestSignsOfLife:
    def test_started_names_the_worker(self) -> None:
        result = answer("STARTED", {"pid": 1, "hostname": "celery@box"})
        assert (result.status, result.heartbeat, result.worker) == (TaskStatus.IN_PROGRESS, True, "celery@box")
        assert result.output == {}

    def test_a_celery_retry_is_a_heartbeat_not_an_attempt(self) -> None:
        result = answer("RETRY", {"exc_type": "ValueError", "exc_message": ["not yet"]})
        assert (result.status, result.heartbeat) == (TaskStatus.IN_PROGRESS, True)

    @pytest.mark.parametrize("status", ["PROGRESS", "UPLOADING"])
    def test_progress_is_the_output_so_far(self, status: str) -> None:
        result = answer(status, {"done": 3, "of": 10})
        assert (result.status, result.heartbeat, result.output) == (
            TaskStatus.IN_PROGRESS,
            False,
            {"done": 3, "of": 10},
        )

    def test_progress_that_is_no_dict_is_named_progress(self) -> None:
        assert answer("PROGRESS", 30).output == {"progress": 30}

    def test_progress_that_cannot_be_stored_is_still_a_sign_of_life(self) -> None:
        result = answer("PROGRESS", {"done": float("nan")})
        assert (result.status, result.heartbeat, result.output) == (TaskStatus.IN_PROGRESS, True, {})

    def test_extended_results_name_the_worker(self) -> None:
        assert answer(worker="celery@box", retries=1).worker == "celery@box"


class TestIdentity:
    def test_the_same_message_delivered_twice_is_the_same_event(self) -> None:
        assert answer("PROGRESS", 1).event_id == answer("PROGRESS", 1).event_id

    def test_two_reports_are_two_events(self) -> None:
        assert answer("PROGRESS", 1).event_id != answer("PROGRESS", 2).event_id

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"garbage",
            b"\xff\xfe",
            b"[]",
            b"null",
            b"{}",
            b'{"status": "SUCCESS"}',
            b'{"task_id": "no number", "status": "SUCCESS"}',
            b'{"task_id": 3, "status": "SUCCESS"}',
            b'{"task_id": "a.1", "status": NaN}',
            b"[" * 100_000,
        ],
    )
    def test_garbage_is_a_bad_message(self, body: bytes) -> None:
        with pytest.raises(BadMessage):
            read(body)

    def test_a_pickled_result_is_never_opened(self) -> None:
        message = Message(queue="q", body=b"\x80", content_type="application/x-python-serialize")
        with pytest.raises(BadMessage, match="result_serializer"):
            decode_result(Delivery(message=message, queue="q"))

    @given(st.binary(max_size=60) | st.text().map(str.encode))
    def test_no_bytes_raise_anything_but_a_bad_message(self, body: bytes) -> None:
        with pytest.raises(BadMessage):
            read(body)

    @given(
        st.sampled_from(["SUCCESS", "FAILURE", "REVOKED", "RETRY", "STARTED", "PROGRESS", "MOON"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=6,
        ),
    )
    def test_every_result_can_be_stored(self, status: str, value: Any) -> None:
        result = answer(status, value)
        json.dumps(dict(result.output), allow_nan=False, ensure_ascii=False).encode()
        (result.reason or "").encode()
