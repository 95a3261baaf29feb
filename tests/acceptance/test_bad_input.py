"""Bad input gets a clear answer, is never lost, and disturbs nobody else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pika
import pytest

from tests.acceptance.processes import until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow


@pytest.fixture(scope="module", autouse=True)
def workers(small: Stack) -> Iterator[None]:
    """Serve scripts, and the tasks of this file."""
    started = [
        small.baton("worker", "script", "-c", "2"),
        small.celery("vanilla", "worker-odd", "-P", "threads", "-c", "4", "-Q", "odd,huge,measure", **vanilla(small)),
    ]
    small.ready(*started)
    small.define(tasks=[task_def(name) for name in ("odd", "huge", "measure", "nobody", "endless", "hungry")])
    yield
    for worker in started:
        worker.ask_to_stop()
    for worker in started:
        worker.end()


@pytest.fixture(autouse=True)
def others_go_on(small: Stack) -> Iterator[None]:
    """After each piece of bad input, a good workflow runs."""
    yield
    small.define(workflow("good", {"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}))
    assert small.ended(small.start("good"))["status"] == "COMPLETED"


def letters(stack: Stack, mark: str) -> list[dict[str, Any]]:
    """Return the dead letters whose body has this mark."""
    found = stack.command("dead", "list")["results"]
    return [letter for letter in found if mark in letter["body"]]


def letter_of(stack: Stack, mark: str) -> dict[str, Any]:
    return until(f"{mark} is a dead letter", lambda: letters(stack, mark))[0]


def test_a_start_of_an_unknown_workflow_waits_among_the_dead_until_it_is_known(small: Stack) -> None:
    name = f"nowhere-{uuid.uuid4().hex}"
    started = small.start(name)
    letter = letter_of(small, name)
    assert letter["from"] == "baton.start"
    assert name in letter["reason"]
    # When it has been registered, the letter can be sent again.
    small.define(workflow(name, {"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}))
    small.command("dead", "requeue", letter["id"])
    assert small.ended(started)["status"] == "COMPLETED"
    assert letters(small, name) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"name": "good", MARK', "not JSON"),
        ('["MARK"]', "object"),
        ('{"input": {"x": "MARK"}}', "name"),
        ('{"name": "good", "input": {"x": NaN, "y": "MARK"}}', "not JSON"),
        ('{"name": "good", "version": "one", "priority": 1000, "input": "MARK"}', "priority"),
    ],
)
def test_a_start_message_that_cannot_be_read_is_a_dead_letter_with_the_reason(
    small: Stack, text: str, reason: str
) -> None:
    mark = uuid.uuid4().hex
    small.publish(text.replace("MARK", mark).encode())
    letter = letter_of(small, mark)
    assert reason in letter["reason"]
    assert small.command("dead", "show", letter["id"])["body"] == text.replace("MARK", mark)
    # It can be sent back any time, and comes again with the same reason.
    small.command("dead", "requeue", letter["id"])
    assert letter_of(small, mark)["reason"] == letter["reason"]


@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        ("odd", {"kind": "object"}, "EncodeError"),
        ("odd", {"kind": "nan"}, "NaN"),
        ("huge", {"size": 11_000_000}, "10,485,760"),
    ],
)
def test_a_result_that_cannot_be_kept_fails_its_task_with_the_reason(
    small: Stack, task: str, given: dict[str, Any], words: str
) -> None:
    small.define(workflow("results", simple(task, **given)))
    run = small.ended(small.start("results"))
    assert run["status"] == "FAILED"
    assert words in run["reasonForIncompletion"]


def test_a_task_that_nobody_has_defined_waits_and_the_doctor_names_its_queue(small: Stack) -> None:
    small.define(workflow("orphan", simple("never_defined")))
    run = small.start("orphan")
    small.when(run, "is scheduled", lambda run: run["tasks"] and run["tasks"][0]["status"] == "SCHEDULED")
    with pika.BlockingConnection(pika.URLParameters(small.broker_url)) as connection:
        waiting = connection.channel().queue_declare("never_defined", passive=True).method.message_count
    assert waiting == 1
    findings = {each["subject"]: each for each in small.command("doctor", "--timeout", "1")["findings"]}
    finding = findings["queue never_defined"]
    assert "no worker serves it" in finding["what"]
    assert finding["remedy"]
    small.command("workflow", "terminate", run)
    assert small.ended(run)["status"] == "TERMINATED"


def test_starts_with_the_same_message_id_are_one_run(small: Stack) -> None:
    mark = uuid.uuid4().hex
    small.define(workflow("single", {"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}))
    body = json.dumps({"name": "single", "correlationId": mark}).encode()
    for _ in range(3):
        small.publish(body, message_id=f"start-{mark}")
    last = small.start("single", correlationId=mark)
    small.ended(last)
    found = small.command("workflow", "list", "--correlation-id", mark)
    assert found["totalHits"] == 2
    small.publish(body, message_id=f"start-{mark}")
    small.ended(small.start("single", correlationId=mark))
    assert small.command("workflow", "list", "--correlation-id", mark)["totalHits"] == 3


@pytest.mark.parametrize(
    ("given", "keys", "longest"),
    [
        ({"first": "a\u0000b"}, 1, 3),
        ({"first": "🥕", "second": "ä" * 5}, 2, 5),
        ({"first": "x" * 5_000_000}, 1, 5_000_000),
        ({f"key {number}": number for number in range(10_000)}, 10_000, 4),
    ],
    ids=["zero byte", "beyond ASCII", "5 MB", "10,000 keys"],
)
def test_unusual_input_arrives_as_it_was(small: Stack, given: dict[str, Any], keys: int, longest: int) -> None:
    measure = simple("measure", given="${workflow.input}")
    small.define(workflow("measured", measure, outputParameters={"seen": "${measure.output}"}))
    run = small.ended(small.start("measured", input=given))
    seen = run["output"]["seen"]
    assert (run["status"], seen["keys"], seen["longest"]) == ("COMPLETED", keys, longest)
    assert seen["first"] == given.get("first")
    assert run["input"] == given


def test_nan_over_http_is_refused(small: Stack) -> None:
    answer = httpx.post(
        f"{small.url}/api/workflow",
        content=b'{"name": "good", "input": {"x": NaN}}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "JSON" in answer.json()["message"]
    assert "Traceback" not in answer.text


SCRIPTS = {
    "endless": "while (true) {}",
    "hungry": "const all = []; while (true) all.push(new Array(100000).fill(1.5)); all",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_condition_without_an_end_fails_its_own_workflow_only(small: Stack, name: str) -> None:
    switch = {
        "name": name,
        "taskReferenceName": "switch",
        "type": "SWITCH",
        "evaluatorType": "javascript",
        "expression": SCRIPTS[name],
        "decisionCases": {"never": [simple("nobody")]},
        "inputParameters": {},
    }
    small.define(workflow(f"condition {name}", switch))
    run = small.ended(small.start(f"condition {name}"))
    assert run["status"] == "FAILED"
    assert "interrupted" in run["reasonForIncompletion"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_inline_script_without_an_end_fails_its_task(small: Stack, name: str) -> None:
    given = {"evaluatorType": "javascript", "expression": SCRIPTS[name]}
    small.define(
        workflow(
            f"inline {name}", {"name": name, "taskReferenceName": "script", "type": "INLINE", "inputParameters": given}
        )
    )
    run = small.ended(small.start(f"inline {name}"))
    assert run["status"] == "FAILED"
    assert "interrupted" in run["reasonForIncompletion"]


def test_a_jq_program_without_an_end_fails_its_task(small: Stack) -> None:
    given = {"queryExpression": "def turn: turn; turn"}
    small.define(
        workflow(
            "jq endless",
            {"name": "endless", "taskReferenceName": "jq", "type": "JSON_JQ_TRANSFORM", "inputParameters": given},
        )
    )
    run = small.ended(small.start("jq endless"))
    assert run["status"] == "FAILED"
    assert "interrupted" in run["reasonForIncompletion"]
