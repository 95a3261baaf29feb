"""The limit of payloads: wherever something too large comes in, whoever waits for it is told."""

from __future__ import annotations

import msgspec
import pytest

from engine.config import Settings
from engine.model.event import StartWorkflow
from engine.model.request import Outcome
from engine.testing.harness import Harness
from engine.wire.dead_letter import read_dead
from engine.wire.message import START_QUEUE, Message
from engine.wire.request_message import decode_outcome
from engine.wire.start_message import encode_start

LIMIT = 2_000
TOO_MUCH = "x" * LIMIT


def step(ref: str, kind: str = "SIMPLE", **fields: object) -> dict[str, object]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


@pytest.fixture
def harness() -> Harness:
    harness = Harness(settings=Settings(payload_limit_bytes=LIMIT))
    harness.register(
        {"name": "one", "tasks": [step("a")], "outputParameters": {"text": "${a.output.text}"}},
        {
            "name": "parent",
            "tasks": [
                step(
                    "c",
                    "SUB_WORKFLOW",
                    subWorkflowParam={"name": "one"},
                    inputParameters={"first": "${workflow.input.text}", "second": "${workflow.input.text}"},
                )
            ],
        },
        {
            "name": "of_parts",
            "tasks": [step("a")],
            "outputParameters": {"first": "${a.output.text}", "second": "${a.output.text}"},
        },
        {"name": "waiting", "tasks": [step("c", "SUB_WORKFLOW", subWorkflowParam={"name": "of_parts"})]},
    )
    return harness


def test_a_result_above_the_limit_of_the_settings_fails_its_task(harness) -> None:
    run = harness.start("one")
    harness.work({"a": lambda _: {"text": TOO_MUCH}})
    attempt = harness.rows(run).tasks[0]
    assert attempt.status == "FAILED"
    assert "the limit is 2,000" in str(attempt.reason)


def test_a_strangers_start_above_the_limit_is_kept_as_a_dead_letter(harness) -> None:
    body = msgspec.json.encode({"name": "one", "workflowId": "big", "input": {"text": TOO_MUCH}})
    harness.publish(Message(queue=START_QUEUE, body=body))
    (letter,) = harness.road.peek("baton.dead", 10)
    assert "the limit is 2,000" in read_dead(letter.message).reason


def test_whoever_asks_for_a_start_above_the_limit_is_told(harness) -> None:
    asker = harness.broker.connect()
    asker.declare_replies("baton.reply.asker")
    asker.consume("baton.reply.asker", 10)
    start = StartWorkflow(
        event_id="s",
        workflow_id="big",
        name="one",
        input={"text": TOO_MUCH},
        reply_to="baton.reply.asker",
        reply_id="1",
    )
    harness.publish(encode_start(start))
    (answer,) = asker.receive(10, 0)
    outcome: Outcome = decode_outcome(answer)
    assert (outcome.granted, outcome.code) == (False, 400)
    assert "BATON_PAYLOAD_LIMIT_BYTES" in outcome.message


def test_a_child_whose_input_is_above_the_limit_fails_the_task_that_wants_it(harness) -> None:
    run = harness.start("parent", {"text": "x" * (LIMIT - 500)})
    assert harness.run(run).status == "FAILED"
    assert "the limit is 2,000" in str(harness.task(run, "c").reason)


def test_a_childs_output_above_the_limit_fails_the_task_that_waits_for_it(harness) -> None:
    run = harness.start("waiting")
    harness.work({"a": lambda _: {"text": "x" * (LIMIT - 500)}})
    assert harness.run(run).status == "FAILED"
    assert "The child's output has" in str(harness.task(run, "c").reason)
