"""The Celery message: a task on its way out, and a worker's answer on its way in, as the decider sees them.

Out goes Celery's message protocol 2, so that any Celery worker can carry the task. Back comes what the ``rpc://``
result backend publishes: ``{"status", "result", "traceback", "task_id", …}``. The body's ``task_id`` is the only
trustworthy name in it: after ``self.retry`` the ``correlation_id`` is no longer the one that was sent.

Some ends send no answer at all (a killed worker that had acked early, ``Ignore``, a reply of more than the broker's
largest message …); those are ended by the decider's deadlines, not here.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from engine.errors import BadMessage
from engine.model.event import Beginning, TaskResult
from engine.model.execution import split_task_id
from engine.model.payload import Json, JsonObject
from engine.model.status import TaskStatus
from engine.wire.celery_failure import Failure, read_failure
from engine.wire.celery_values import plain, storable_text
from engine.wire.fields import TEXT_LIMIT
from engine.wire.message import Delivery, Message, expect_json

#: Bytes; a larger result fails its task. Conductor's hard limit for a task's output. What the database, the cache and
#: every reader of the run would have to carry is bounded by it.
MAX_RESULT_BYTES: Final = 10 * 1024 * 1024

#: Characters of the input shown by Celery's own tools (Flower, the worker's log).
_REPR_LENGTH: Final = 128

_EMBED: Final = b',{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]'
_NO_LIMITS: Final = (None, None)
#: Statuses whose ``result`` is Celery's own note, not the task's progress.
_BARE_SIGNS_OF_LIFE: Final = frozenset({"STARTED", "RETRY", "PENDING", "RECEIVED"})

#: What Celery says by itself about the beginning of a task (STARTED only with ``track_started``).
_BEGINNINGS: Final = {"STARTED": Beginning.FIRST, "RETRY": Beginning.WISHED}

#: Characters of a status that tell one report from another.
_LONGEST_STATUS: Final = 50

_encode = msgspec.json.Encoder().encode


class _Reply(msgspec.Struct):
    """The part of an rpc result that is read; workers with ``result_extended`` also fill ``worker``."""

    task_id: str
    status: str
    result: Json = None
    traceback: str | None = None
    worker: str | None = None
    #: Said by connected workers, which ask before they begin a task again: their STARTED counts nothing.
    asks: bool = False


_decode = msgspec.json.Decoder(_Reply).decode


#: The header with what a task definition wants handed to the worker by name: ``self.request.runtime_metadata``.
RUNTIME_METADATA: Final = "runtime_metadata"


def encode_task(
    *,
    task_id: str,
    name: str,
    queue: str,
    input: JsonObject,  # noqa: A002 - the field's own name
    workflow_id: str,
    reply_to: str,
    priority: int = 0,
    attempt: int = 0,
    time_limits: tuple[float | None, float | None] = _NO_LIMITS,
    extra_headers: Mapping[str, Json] | None = None,
) -> Message:
    """Return the message that makes a Celery worker run one attempt of a task.

    ``name`` is the Celery task's name, ``input`` becomes its keyword arguments, ``reply_to`` is the queue for the
    answer. ``priority`` is the queue's 0 to 9 and is clamped to it. ``attempt`` (0 for the first) is for the task's
    information, as ``self.request.attempt``; Celery's own ``retries`` starts at 0 in every attempt, so that
    ``max_retries`` keeps its meaning. ``time_limits`` are seconds, hard and soft, and override those of the task.
    """
    body = _encode(input)
    headers = _headers(task_id, name, workflow_id, attempt, time_limits)
    headers["kwargsrepr"] = body[:_REPR_LENGTH].decode("utf-8", "ignore")
    headers.update(extra_headers or {})
    return Message(
        queue=queue,
        body=b"[[]," + body + _EMBED,
        headers=headers,
        message_id=task_id,
        correlation_id=workflow_id,
        reply_to=reply_to,
        priority=min(max(priority, 0), 9),
    )


def _headers(
    task_id: str, name: str, workflow_id: str, attempt: int, time_limits: tuple[float | None, float | None]
) -> dict[str, Json]:
    """Return what Celery's message protocol 2 wants, and what is ours."""
    return {
        "lang": "py",
        "task": name,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "shadow": None,
        "eta": None,
        "expires": None,
        "retries": 0,
        "timelimit": list(time_limits),
        "argsrepr": "()",
        "origin": "baton",
        # Without it, a worker set to task_ignore_result=True never answers; null does not help.
        "ignore_result": False,
        "workflow_id": workflow_id,
        "attempt": attempt,
    }


def decode_result(delivery: Delivery, max_result_bytes: int = MAX_RESULT_BYTES) -> TaskResult:
    """Return what a worker's answer says about its task.

    SUCCESS completes the task, a dict being its output and anything else ``{"result": value}``. FAILURE and REVOKED
    fail it, with the exception as the reason. Every other status is a sign of life: STARTED and RETRY a bare one,
    PROGRESS and states of the user's own with what they report as the output. A result that JSON does not know (NaN,
    half a surrogate pair) or of more than ``max_result_bytes`` fails the task and says so.

    Raises ``BadMessage`` when it cannot be told which task the answer is about.
    """
    body = delivery.message.body
    reply, fault = _read(delivery.message)
    identity = split_task_id(reply.task_id)
    if identity is None:
        raise BadMessage(f"A result names the task {reply.task_id[:100]!r}, which is not one of ours")
    if fault is None and len(body) > max_result_bytes:
        fault = (
            f"The task's result has {len(body):,} bytes, the limit is {max_result_bytes:,}: "
            "return a reference to the data instead of the data"
        )
    if reply.result is not None and (fault or b'"__type__"' in body):
        reply.result = plain(reply.result)
    workflow_id, seq = identity
    # Two reports of progress have different bodies; the same message delivered twice keeps its name.
    event_id = f"{seq}/{reply.status[:_LONGEST_STATUS]}/{zlib.crc32(body):08x}"
    says = partial(TaskResult, event_id=event_id, workflow_id=workflow_id, seq=seq, worker=_worker(reply))
    match reply.status:
        case "SUCCESS" if fault is None:
            output = reply.result if isinstance(reply.result, dict) else {"result": reply.result}
            return says(status=TaskStatus.COMPLETED, output=output)
        case "SUCCESS" | "FAILURE" | "REVOKED":
            failure = _failure(reply, fault)
            return says(
                status=TaskStatus.FAILED_WITH_TERMINAL_ERROR if failure.terminal else TaskStatus.FAILED,
                output=failure.output,
                reason=failure.reason,
            )
        case _:
            progress = None if fault or reply.status in _BARE_SIGNS_OF_LIFE else reply.result
            return says(
                status=TaskStatus.IN_PROGRESS,
                output=progress if isinstance(progress, dict) else {} if progress is None else {"progress": progress},
                heartbeat=progress is None,
                beginning=None if reply.asks and reply.status == "STARTED" else _BEGINNINGS.get(reply.status),
            )


def _failure(reply: _Reply, fault: str | None) -> Failure:
    """Return why the task failed; a success that cannot be stored fails for ``fault``."""
    match reply.status:
        case "SUCCESS":
            return Failure(reason=str(fault))
        case "REVOKED":
            why = read_failure(reply.result, None).message
            return Failure(reason="revoked" if why in ("", "revoked") else f"revoked: {why}")
        case _:
            return read_failure(reply.result, reply.traceback)


def _read(message: Message) -> tuple[_Reply, str | None]:
    """Return the answer, and what is wrong with it when only Python's lenient JSON reader can read it."""
    try:
        expect_json(message, "A result")
    except BadMessage as error:
        raise BadMessage(f"{error}; set result_serializer to 'json' in the worker that sent it") from None
    try:
        return _decode(message.body), None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        what = str(error)
    try:
        loose = json.loads(message.body)
        return msgspec.convert(loose, _Reply), f"The task's result is not valid JSON: {_cause(loose, what)}"
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        shown = storable_text(str(error))[:200]
        raise BadMessage(f"Neither a result nor anything else that belongs in this queue: {shown}") from None


def _cause(reply: Json, otherwise: str) -> str:
    """Name what JSON does not know in ``reply``, which Python's reader has accepted."""
    try:
        json.dumps(reply, allow_nan=False)
        json.dumps(reply, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "it holds half a surrogate pair, as from a file name or text decoded with surrogateescape"
    except ValueError:
        return "it holds NaN or an infinite number"
    except RecursionError:
        return "it is nested too deeply"
    return otherwise


def _worker(reply: _Reply) -> str | None:
    """Return the worker's name where the answer gives one."""
    name: Json = reply.worker
    if name is None and reply.status == "STARTED" and isinstance(reply.result, dict):
        name = reply.result.get("hostname")
    return storable_text(name[:TEXT_LIMIT]) if isinstance(name, str) else None
