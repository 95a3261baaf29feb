"""The examples in the pages are right: definitions are valid, expressions give what stands beside them."""

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine import dsl
from engine.clock import Instant
from engine.decider.validate import check_task, check_workflow, validate_workflow
from engine.expression.template import substitute
from engine.handling.check import check_handler
from engine.model.cron import cron
from engine.model.definition import TaskDef, WorkflowDef, WorkflowTask
from engine.model.schedule import Schedule
from engine.operations import operations
from engine.tasks import task_types
from engine.wire.celery_message import decode_result, encode_task
from engine.wire.inbound import decode
from engine.wire.message import Delivery, Message, events_queue
from engine.wire.news import decode_news
from engine.wire.request_message import (
    CHILD_ENDED_KIND,
    CHILD_STARTED_KIND,
    REQUEST_KIND,
    SLOT_KIND,
    WAKE_KIND,
    decode_outcome,
)
from engine.wire.start_message import KIND_HEADER, decode_start
from tests.unit.docs.blocks import PAGES, ROOT, block, json_blocks

GUIDES = ROOT / "docs" / "guides"
DEFINITIONS = GUIDES / "definitions.md"
MESSAGES = ROOT / "docs" / "architecture" / "messages.md"

#: What else may stand behind ``json``: looked at by a test of its own, or by none because it is plain JSON.
OTHERS = {"", "context", "start", "result", "request", "outcome", "wake", "child_started", "child_ended", "slot"}
OTHERS |= {"task-headers", "task-body", "news", "notice", "document", "webhook"}

#: Our own messages to the decider.
OURS = (REQUEST_KIND, WAKE_KIND, CHILD_STARTED_KIND, CHILD_ENDED_KIND, SLOT_KIND)


def named(value: object) -> str | None:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else None


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_examples_of_definitions_are_valid(page: Path) -> None:
    for kind, document in json_blocks(page):
        match kind:
            case "workflow":
                check_workflow(document)
            case "task":
                check_task(document)
            case "event-handler":
                check_handler(document)
            case "step":
                steps = document if isinstance(document, list) else [document]
                check_workflow({"name": "example", "tasks": steps})
            case "schedule":
                schedule = Schedule.model_validate(document)
                assert [cron(each.cron_expression, each.zone_id) for _, each in schedule.crons()]
            case _:
                assert kind in OTHERS


def test_the_readmes_workflow_is_valid() -> None:
    documents = [document for _, document in json_blocks(ROOT / "README.md")]
    assert [check_workflow(document).name for document in documents] == ["hello"]


def test_every_task_type_has_an_example() -> None:
    shown = {step.type for step in _shown_steps()}
    assert shown >= task_types().keys()


def _shown_steps() -> Iterator[WorkflowTask]:
    for kind, document in json_blocks(DEFINITIONS):
        if kind == "step":
            steps = document if isinstance(document, list) else [document]
            yield from (WorkflowTask.model_validate(step) for step in steps)


def test_every_field_in_the_tables_of_definitions_exists() -> None:
    known = {field.alias for model in (WorkflowDef, TaskDef, WorkflowTask) for field in model.model_fields.values()}
    section = DEFINITIONS.read_text().partition("## SIMPLE")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} <= known


def _rows_of_expressions() -> list[tuple[str, str]]:
    row = re.compile(r"^\| `(?P<text>[^`]*\$\{?[^`]*)` \| `(?P<value>[^`]*)` \|$", re.MULTILINE)
    return [(found["text"], found["value"]) for found in row.finditer((GUIDES / "expressions.md").read_text())]


@pytest.mark.parametrize(("text", "value"), _rows_of_expressions())
def test_expressions_become_what_stands_beside_them(text: str, value: str) -> None:
    context = json.loads(block(GUIDES / "expressions.md", "json context"))
    assert substitute(text, context) == json.loads(value)


def test_the_page_on_expressions_has_examples() -> None:
    assert len(_rows_of_expressions()) > 20


def _delivered(kind: str, queue: str = "baton.events.0") -> Delivery:
    headers = {KIND_HEADER: kind} if kind in OURS else {}
    body = block(MESSAGES, f"json {kind}").encode()
    return Delivery(message=Message(queue=queue, body=body, headers=headers, message_id="an id"), queue=queue)


@pytest.mark.parametrize("kind", [*OURS, "result"])
def test_examples_of_messages_to_the_decider_can_be_read(kind: str) -> None:
    event: Any = decode(_delivered(kind), lambda: "unused")
    assert event.workflow_id.startswith("0197f3c2")


def test_the_example_of_news_can_be_read() -> None:
    assert [each.version for each in decode_news(_delivered("news"))] == [1_795_918_105_684_007]


def test_the_example_of_a_result_completes_its_task() -> None:
    result = decode_result(_delivered("result"))
    assert (result.seq, result.status, result.output) == (1, "COMPLETED", {"greeting": "Hello, Ada!"})


def test_the_example_of_a_start_can_be_read_and_names_every_field() -> None:
    start = decode_start(_delivered("start", "baton.start"), lambda: "unused")
    assert (start.name, start.version, start.input, start.priority) == ("hello", 1, {"name": "Ada"}, 50)


def test_the_example_of_an_outcome_can_be_read() -> None:
    assert decode_outcome(_delivered("outcome")).code == 409


def test_the_example_of_a_task_is_what_is_published() -> None:
    workflow_id = "0197f3c2-0000-7000-8000-000000000000"
    message = encode_task(
        task_id=f"{workflow_id}.1",
        name="greet",
        queue="greet",
        input={"name": "Ada"},
        workflow_id=workflow_id,
        reply_to=events_queue(0),
    )
    assert dict(message.headers) == json.loads(block(MESSAGES, "json task-headers"))
    assert json.loads(message.body) == json.loads(block(MESSAGES, "json task-body"))


def test_every_verb_is_on_the_page_of_messages() -> None:
    section = MESSAGES.read_text().partition("## Request")[2].partition("## Wake-up")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == operations().keys()


def test_the_first_workflow_passes_its_own_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = GUIDES / "first-workflow.md"
    (tmp_path / "shop.py").write_text(block(page, "python worker"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    importlib.invalidate_caches()
    (tmp_path / "order.json").write_text(block(page, "json workflow"))
    monkeypatch.chdir(tmp_path)
    room: dict[str, Any] = {}
    exec(block(page, "python test"), room)
    room["test_a_small_order_is_billed"]()
    monkeypatch.delitem(sys.modules, "shop")


def test_the_workflow_in_python_works_as_it_reads() -> None:
    room: dict[str, Any] = {}
    exec(block(GUIDES / "python.md", "python dsl"), room)
    _, warnings = validate_workflow(room["order_fulfilment"].to_json(), lambda names: {})
    assert warnings == ()


def _ran(text: str) -> list[str]:
    """Run the tests in a block; return their names."""
    room: dict[str, Any] = {}
    exec(text, room)
    names = [name for name in room if name.startswith("test_")]
    for name in names:
        room[name]()
    return names


def test_the_tests_of_the_guide_to_testing_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    flows = ModuleType("flows")
    exec(block(GUIDES / "python.md", "python dsl"), flows.__dict__)
    monkeypatch.setitem(sys.modules, "flows", flows)

    assert len(_ran(block(GUIDES / "testing.md", "python rehearsal"))) == 3
    assert len(_ran(block(GUIDES / "testing.md", "python harness"))) == 2


def test_every_name_of_the_dsl_is_on_its_page() -> None:
    page = (GUIDES / "python.md").read_text()
    functions = {name for name in dsl.__all__ if name[0].islower()} - {"definitions_in"}
    assert {name for name in functions if not re.search(rf"\b{name}\b", page)} == set()


def test_the_wait_of_the_guide_is_read_as_it_is_meant() -> None:
    from engine.tasks.wait import duration_seconds, until_instant

    assert duration_seconds("1d 2h 30m") == 95_400
    assert until_instant("2030-01-31 09:00 GMT+01:00") == Instant(1_896_076_800_000_000)
