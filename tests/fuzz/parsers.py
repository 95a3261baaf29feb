"""Every parser that strangers can reach, with its contract: a value, or the one kind of error that it may raise."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy.dialects import mysql, postgresql, sqlite

from engine.broker.amqp_encoding import read_message
from engine.broker.redis_envelope import decode as decode_envelope
from engine.config import load
from engine.decider.validate import check_task, check_workflow
from engine.errors import BadConfiguration, BadDefinition, BadExpression, BadMessage
from engine.expression.budget import Budget
from engine.expression.json_schema import mismatch, schema_fault
from engine.expression.jsonpath import compile_path
from engine.expression.script import check_javascript, evaluate_javascript
from engine.expression.template import references, substitute
from engine.masking import masked, visible
from engine.model.payload import Json
from engine.search.condition import Condition, Kind, opposite
from engine.search.free_text import read_free_text
from engine.search.grammar import read_query
from engine.search.order import read_order
from engine.search.predicate import holds
from engine.search.subject import RUNS, TASKS
from engine.store.search_sql import condition_sql
from engine.tasks.wait import duration_seconds, until_instant
from engine.wire.celery_control import decode_revoke
from engine.wire.dead_letter import dead_json, read_dead, revive
from engine.wire.inbound import decode
from engine.wire.json_text import parse_text
from engine.wire.message import Delivery, Message
from engine.wire.request_message import decode_outcome
from engine.wire.start_message import KIND_HEADER
from workers.http_body import unpacked

#: Seconds of CPU time that no input may take; some times the longest that the limits allow.
TIME_LIMIT = 3.0

#: What expressions look at: every kind of value, and names that need brackets.
CONTEXT: Json = {
    "workflow": {"input": {"a": 1, "b": [1, 2.5, "x", None, True, {"c": "d"}], "key with blank": "v"}, "status": "R"},
    "t": {"output": {"list": [{"n": number, "s": str(number)} for number in range(20)], "deep": [[[[1]]]]}},
    "a": {"$b": "x:y", "c": {"d": [[], {}, ""]}},
}

_DIALECTS = {"postgresql": postgresql.dialect(), "sqlite": sqlite.dialect(), "mysql": mysql.dialect()}
_TEXTUAL = (Kind.TEXT, Kind.CHOICE, Kind.PAYLOAD)

_KINDS = (None, "start", "request", "wake", "child_ended", "child_started", "outcome", "else", 5, [], {})
_QUEUES = ("baton.start", "baton.events.0", "baton.dead", "somewhere")


@dataclass(frozen=True)
class Parser:
    """One parser: ``read`` raises nothing but ``refuses``; ``words`` is what its texts are made of."""

    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...] = ()
    words: tuple[str, ...] = ()

    def try_on(self, data: bytes) -> None:
        """Read ``data``; an error that the contract does not know escapes, and so does one about time."""
        began = time.process_time()
        try:
            self.read(data)
        except self.refuses as refusal:
            assert len(str(refusal)) < 1_000_000, "the reason is too long to be told"
        taken = time.process_time() - began
        assert taken < TIME_LIMIT, f"it took {taken:.1f} s"


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def _json(data: bytes) -> Json:
    """Return the JSON that the rest of the engine would be given: what does not pass the reader comes no further."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None


def _workflow(data: bytes) -> None:
    definition = check_workflow(_json(data))
    assert check_workflow(definition.to_json()).name == definition.name


def _template(data: bytes) -> None:
    # Templates stand in JSON, which has no half surrogate pairs.
    text = data.decode("utf-8", "replace")
    tuple(references(text))
    msgspec.json.encode(substitute(text, CONTEXT, environment={"E": "1"}))


def _path(data: bytes) -> None:
    found = compile_path(_text(data)).find(CONTEXT, Budget())
    Budget().weigh(found)


def _script(data: bytes) -> None:
    source = _text(data)
    if check_javascript(source) is None:
        limits = {"time_limit_seconds": 0.05, "memory_limit_bytes": 32 * 1024 * 1024}
        msgspec.json.encode(evaluate_javascript(source, {"$": CONTEXT}, **limits))  # type: ignore[arg-type]


def _schema(data: bytes) -> None:
    schema = _json(data)
    if isinstance(schema, dict) and schema_fault(schema) is None:
        mismatch(schema, CONTEXT)


def _delivery(data: bytes) -> Delivery:
    """Make a delivery of anything: two bytes choose its kind and queue, the rest is the body."""
    chosen = data[:2].ljust(2, b"\0")
    kind, queue = _KINDS[chosen[0] % len(_KINDS)], _QUEUES[chosen[1] % len(_QUEUES)]
    headers: Mapping[str, Json] = {} if kind is None else {KIND_HEADER: kind}
    return Delivery(message=Message(queue=queue, body=data[2:], headers=headers, message_id="m"), queue=queue)


def _outcome(data: bytes) -> None:
    decode_outcome(_delivery(data))


def _dead(data: bytes) -> None:
    message = read_message("baton.dead", "", data[:500], data[500:])
    msgspec.json.encode(dead_json("1", read_dead(message), body_limit=100))
    revive(message)


def _tried(condition: Condition) -> None:
    """Ask a record, and have SQL made of it for every database: both must be there for whatever was understood."""
    holds(condition, lambda field: None if field.kind in _TEXTUAL else [] if field.kind is Kind.LIST else 0)
    for name, dialect in _DIALECTS.items():
        condition_sql(condition, name).compile(dialect=dialect)


def _query(data: bytes) -> None:
    condition = read_query(_text(data), RUNS)
    _tried(condition)
    _tried(opposite(condition))


def _free_text(data: bytes) -> None:
    _tried(read_free_text(_text(data), TASKS))


def _dates(data: bytes) -> None:
    text = _text(data)
    try:
        duration_seconds(text)
    except ValueError:
        until_instant(text)


_EXPRESSION_WORDS = (
    "${", "}", "$${", "$", "@", ".", "..", "*", "[", "]", "?(", ")", "'", '"', ",", ":", "-1", "0", "==", "=~", "/a+/i",
    "&&", "||", "!", "(", "in", "subsetof", "size", "empty", "length()", "sum()", "concat(", "append(", "workflow", "t",
    "input", "output", "list", "n", "a", "b", "workflow.env.E", "workflow.secrets.S", "{", " ", "1e9", "null", "\\",
    "é",
)  # fmt: skip
_JSON_WORDS = (
    "{", "}", "[", "]", ",", ":", '"', "null", "true", "1", "-1", "1e999", "NaN", '"name"', '"tasks"', '"type"', '"x"',
    '"taskReferenceName"', '"inputParameters"', '"${x}"', '"SWITCH"', '"DO_WHILE"', '"FORK_JOIN"', '"loopOver"',
    '"decisionCases"', '"forkTasks"', '"retryCount"', "99999999999999999999", '"\\ud800"', '"\\u0000"', '"JOIN"',
)  # fmt: skip
_MESSAGE_WORDS = (
    *_JSON_WORDS, '"task_id"', '"w.1"', '"status"', '"SUCCESS"', '"FAILURE"', '"result"', '"traceback"', '"exc_type"',
    '"exc_message"', '"__type__"', '"__value__"', '"uuid"', '"request"', '"workflowId"', '"wake"', '"childEnded"',
    '"seq"', '"granted"', '"input"', '"version"', '"priority"', '"workflowDef"', '"taskToDomain"', "\0\1", "\1\0",
)  # fmt: skip
_SCRIPT_WORDS = (
    "$", ".", "a", "(", ")", "=>", "{", "}", "[", "]", "function", "return", "for(;;)", "while(1)", "1", "n", "'x'",
    "+", "throw", "try", "catch", "new", "Array(1e9)", "RegExp", "/(a+)+$/", ".test('aaaaaaaaaaaaaaaa!')",
    ".repeat(1e9)", "JSON", "this", "constructor", "__proto__", "eval", "import('fs')", "async", "await", "yield",
    "class", ";", ",", "`",
)  # fmt: skip

_QUERY_WORDS = (
    "workflowType", "status", "input", "version", "failedTaskNames", "=", "!=", ">", "<=", " IN ", " BETWEEN ", " IS ",
    "NULL", " STARTS_WITH ", "(", ")", ",", "FAILED", " AND ", " OR ", " NOT ", "'", '"', " ", "correlationId", "*",
    "?", "\\", "startTime", "2026-01-31", "1700000000000", "-1", "9" * 18, "x",
)  # fmt: skip

PARSERS: Mapping[str, Parser] = {
    "workflow": Parser(_workflow, (BadDefinition,), _JSON_WORDS),
    "task": Parser(lambda data: check_task(_json(data)), (BadDefinition,), _JSON_WORDS),
    "template": Parser(_template, (BadExpression,), _EXPRESSION_WORDS),
    "path": Parser(_path, (BadExpression,), _EXPRESSION_WORDS),
    "script": Parser(_script, (BadExpression,), _SCRIPT_WORDS),
    "schema": Parser(_schema, (), (*_JSON_WORDS, '"pattern"', '"(a+)+$"', '"$ref"', '"#"', '"file:///etc/passwd"')),
    "query": Parser(_query, (BadMessage,), _QUERY_WORDS),
    "free text": Parser(_free_text, (BadMessage,), ('"', "|", "&", "-", "+", "*", "?", " ", "word", "\\", '{"a": 1}')),
    "sort": Parser(
        lambda data: read_order(_text(data), TASKS), (BadMessage,), ("startTime", ":", "ASC", "DESC", "|", ",", "input")
    ),
    "dates": Parser(
        _dates,
        (ValueError,),
        ("1", "99", "d", "h", " ", "minutes", "s", "2030-01-31", "17:00", "GMT+05:30", "../", "Z"),
    ),
    "message": Parser(lambda data: decode(_delivery(data), lambda: "fresh"), (BadMessage,), _MESSAGE_WORDS),
    "outcome": Parser(_outcome, (BadMessage,), _MESSAGE_WORDS),
    "broadcast": Parser(
        lambda data: decode_revoke(Message(queue="", body=data)), (), ('{"method":', '"revoke"', '"arguments":', "[]")
    ),
    "properties": Parser(
        lambda data: read_message("q", "", data, b""), (), ("\xff\xff", "\0\0\0\x05", "S", "F", "A", "T")
    ),
    "dead letter": Parser(_dead, (BadMessage,), ("\x20\x00", "reason", "from", "at", "S", "\0\0\0\x03")),
    "envelope": Parser(
        lambda data: decode_envelope(data, "q"),
        (),
        ('{"body":', '"properties":', "{}", '"headers"', "[]", "5", '"e30="'),
    ),
    "json": Parser(lambda data: parse_text(_text(data), "the file"), (BadMessage,), _JSON_WORDS),
    "settings": Parser(
        lambda data: load(dict([(_text(data).partition("=")[::2])])),
        (BadConfiguration,),
        ("BATON_", "PARTITIONS=", "DATABASE_URL=", "OUTGOING_PRIVATE_NETWORKS=", "10.0.0.0/8", ",", "LOG_LEVEL=", "1"),
    ),
    "masking": Parser(
        lambda data: (masked(_text(data)), visible(_text(data))),
        (),
        ("http://", "u", ":", "p", "@", "h", "?password=", "&"),
    ),
    "body": Parser(
        lambda data: unpacked(
            [data[at : at + 7] for at in range(1, len(data), 7)], "gzip" if data[:1] > b"m" else "", 9
        ),
        (ValueError,),
        ("\x1f\x8b\x08\0\0\0\0\0", "x\x9c", "z"),
    ),
}
