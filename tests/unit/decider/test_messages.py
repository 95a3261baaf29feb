"""PULL_WORKFLOW_MESSAGES: messages that are sent to a run, and the tasks that take them (Conductor 3.22, 4.18)."""

from __future__ import annotations

import pytest

from engine.config import Settings
from engine.errors import BadDefinition
from engine.testing.harness import Harness
from tests.unit.decider.steps import echo, fork, inputs, loop, run_of, step

MEGABYTE = 1024 * 1024


def pull(ref="pull", **parameters):
    return step(ref, "PULL_WORKFLOW_MESSAGES", **inputs(**parameters))


def send(harness, run, **payload):
    return harness.request(run, "send_message", payload=payload)


def payloads(harness, run, ref="pull"):
    return [message["payload"] for message in harness.task(run, ref).output["messages"]]


def test_a_task_that_waits_is_woken_by_the_message_itself(harness):
    run = run_of(harness, pull(), step("after"))
    harness.advance(1_000_000)
    assert harness.task(run, "pull").status == "IN_PROGRESS"
    harness.restart_decider()
    sent = send(harness, run, n=1)
    task = harness.task(run, "pull")
    assert task.output == {
        "count": 1,
        "messages": [
            {
                "id": sent.result["messageId"],
                "workflowId": run,
                "payload": {"n": 1},
                "receivedAt": "2030-01-12T13:46:40.000Z",
            }
        ],
    }
    assert "after" in harness.statuses(run)
    assert harness.run(run).messages == ()


def test_messages_wait_in_the_run_until_a_task_takes_them_in_their_order(harness):
    run = run_of(harness, step("first"), pull("a", batchSize=2), pull("b", batchSize=100))
    for n in range(3):
        assert send(harness, run, n=n).granted
    harness.restart_decider()
    harness.work({"first": echo})
    assert payloads(harness, run, "a") == [{"n": 0}, {"n": 1}]
    assert payloads(harness, run, "b") == [{"n": 2}]
    assert harness.run(run).status == "COMPLETED"


def test_one_that_does_not_block_ends_without_messages(harness):
    run = run_of(harness, pull(blocking=False))
    assert harness.task(run, "pull").output == {"messages": [], "count": 0}


def test_the_first_of_several_that_wait_gets_the_message(harness):
    run = run_of(harness, *fork("f", [pull("a")], [pull("b")]))
    send(harness, run, n=1)
    assert harness.statuses(run)["a"] == "COMPLETED"
    assert harness.statuses(run)["b"] == "IN_PROGRESS"
    send(harness, run, n=2)
    assert payloads(harness, run, "b") == [{"n": 2}]


def test_a_loop_is_an_event_loop(harness):
    run = run_of(harness, loop("l", "$.pull.messages[0].payload.go", pull()))
    for go in (True, True, False):
        send(harness, run, go=go)
    assert harness.run(run).status == "COMPLETED"
    assert harness.task(run, "l").output["iteration"] == 3


def test_a_run_takes_only_so_many(harness):
    run = run_of(harness, step("first"), pull(batchSize=100))
    for n in range(1_000):
        assert send(harness, run, n=n).granted
    full = send(harness, run, n=1_000)
    assert (full.granted, full.code) == (False, 429)
    harness.work({"first": echo})
    assert send(harness, run, n=1_001).code == 409
    assert harness.run(run).messages == ()


def test_a_run_takes_only_so_much(harness):
    run = run_of(harness, step("first"))
    assert send(harness, run, text="x" * (MEGABYTE // 2)).granted
    assert send(harness, run, text="x" * (MEGABYTE // 2)).code == 429
    assert send(harness, run, text="x" * MEGABYTE).code == 400


@pytest.mark.parametrize("how", ["pause", "terminate"])
def test_only_a_running_run_takes_messages(harness, how):
    run = run_of(harness, pull())
    harness.request(run, how)
    refused = send(harness, run, n=1)
    assert refused.code == 409
    assert how.upper()[:5] in refused.message


def test_what_nobody_took_goes_with_the_end_of_the_run(harness):
    run = run_of(harness, step("first"))
    send(harness, run, n=1)
    harness.request(run, "terminate")
    assert harness.run(run).messages == ()
    harness.request(run, "retry")
    assert harness.run(run).messages == ()


def test_a_run_that_does_not_exist_takes_nothing(harness):
    assert send(harness, "nobody", n=1).code == 404


def test_its_time_limit_ends_the_wait(harness):
    definition = {"name": "pull", "timeoutSeconds": 60, "responseTimeoutSeconds": 60, "timeoutPolicy": "TIME_OUT_WF"}
    run = run_of(harness, pull(), defs=[definition])
    harness.advance(60)
    assert harness.run(run).status == "TIMED_OUT"


@pytest.mark.parametrize("fields", [{"batchSize": 0}, {"batchSize": 101}, {"batchSize": "2"}, {"blocking": "no"}])
def test_what_cannot_be_meant_is_refused_and_fails_the_task_where_it_comes_up_late(harness, fields):
    with pytest.raises(BadDefinition, match=next(iter(fields))):
        run_of(harness, pull(**fields))
    late = {name: f"${{workflow.input.{name}}}" for name in fields}
    run = run_of(harness, pull(**late), given=fields)
    assert harness.task(run, "pull").status == "FAILED_WITH_TERMINAL_ERROR"


def test_settings_say_how_many_may_wait():
    harness = Harness(settings=Settings(waiting_messages=2, waiting_messages_bytes=1_024))
    run = run_of(harness, step("w", "WAIT"))
    assert [send(harness, run, n=n).code for n in range(3)] == [200, 200, 429]
    assert send(harness, run_of(harness, step("w", "WAIT")), text="x" * 1_024).code == 400
