"""What a decider has in memory is for speed: it may be too small or too old, and nothing is lost by it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import contextmanager

import msgspec
import pytest

from engine.config import Settings
from engine.decider.execution import Execution
from engine.errors import BrokerUnavailable, StoreUnavailable
from engine.executor import Executor
from engine.model.event import StartWorkflow
from engine.testing.harness import Harness, result_message
from engine.wire.message import Message
from engine.wire.request_message import decode_outcome
from engine.wire.start_message import encode_start

TWO_STEPS = {
    "name": "two_steps",
    "tasks": [{"name": ref, "taskReferenceName": ref, "type": "SIMPLE"} for ref in ("a", "b")],
}


def answer(harness: Harness, queue: str) -> list[Message]:
    """Return the good news of every task that waits in a queue."""
    return [
        result_message(each, {"task_id": each.message.headers["id"], "status": "SUCCESS", "result": {"ok": 1}})
        for each in harness.take(queue)
    ]


def rolled_back_once(harness: Harness, happen: Callable[[], object]) -> None:
    """Let something happen whose first transaction is rolled back, and whose message comes a second time."""
    transaction = harness.store.transaction

    @contextmanager
    def rolled_back():
        with transaction() as inside:
            yield inside
            raise StoreUnavailable("gone before the commit")

    harness.store.transaction = rolled_back
    with pytest.raises(StoreUnavailable):
        happen()
    harness.store.transaction = transaction
    harness.road.reconnect()
    harness.carry()


def test_a_batch_about_more_runs_than_fit_into_memory_loses_no_news():
    harness = Harness(settings=Settings(cache_workflows=1, cache_tasks=1))
    harness.register(TWO_STEPS)
    runs = [harness.start("two_steps") for _ in range(3)]
    harness.publish(*answer(harness, "a"))
    assert [harness.task(run, "a").status for run in runs] == ["COMPLETED"] * 3


def test_a_decider_keeps_no_more_runs_alive_than_its_cache_is_set_to():
    harness = Harness(settings=Settings(cache_workflows=20, cache_tasks=20))
    wait = {"name": "w", "taskReferenceName": "w", "type": "WAIT", "inputParameters": {"duration": "1 day"}}
    harness.register({"name": "waits", "tasks": [wait]})
    runs = [harness.start("waits") for _ in range(100)]
    gc.collect()
    # Not only those that it knows of: nothing else holds a run either.
    alive = {each.workflow.id for each in gc.get_objects() if type(each) is Execution}
    assert alive.intersection(runs) == set(runs[-20:])


def test_news_that_does_not_fit_an_old_copy_is_not_dropped_before_the_rows_were_read():
    harness = Harness()
    harness.register(TWO_STEPS)
    run = harness.start("two_steps")
    other = Executor(harness.store, harness.road, harness.clock, harness.settings, 1)
    mine, harness.executor = harness.executor, other
    harness.publish(*answer(harness, "a"))
    # Given a decider whose copy is older than the task that somebody else has handed out
    harness.executor = mine
    harness.publish(*answer(harness, "b"))
    assert harness.run(run).status == "COMPLETED"


def test_a_wake_up_is_not_dropped_because_an_old_copy_has_nothing_due():
    harness = Harness()
    harness.register(
        {
            "name": "waits",
            "tasks": [
                {"name": "h", "taskReferenceName": "h", "type": "HUMAN"},
                {"name": "w", "taskReferenceName": "w", "type": "WAIT", "inputParameters": {"duration": "5s"}},
            ],
        }
    )
    run = harness.start("waits")
    mine = harness.executor
    harness.executor = Executor(harness.store, harness.road, harness.clock, harness.settings, 1)
    assert harness.request(run, "signal").granted
    harness.executor = mine
    harness.advance(6)
    assert harness.run(run).status == "COMPLETED"


def test_a_queue_is_watched_although_the_first_attempt_to_note_it_was_rolled_back():
    harness = Harness()
    harness.register(TWO_STEPS)
    rolled_back_once(harness, lambda: harness.start("two_steps", workflow_id="run"))
    with harness.store.transaction() as inside:
        assert inside.queue_names() == ("a",)
    assert msgspec.json.decode(harness.take("a")[0].message.body)[1] == {}


def test_a_dynamic_task_keeps_its_definition_when_the_database_was_away_a_moment_ago():
    harness = Harness()
    step = {"name": "d", "taskReferenceName": "d", "type": "DYNAMIC", "dynamicTaskNameParam": "which"}
    first = {"name": "a", "taskReferenceName": "a", "type": "SIMPLE"}
    harness.register(
        {"name": "dynamic", "tasks": [first, {**step, "inputParameters": {"which": "often"}}]},
        TWO_STEPS,
        tasks=[{"name": "often", "retryCount": 5, "retryDelaySeconds": 0}],
    )
    harness.start("dynamic", workflow_id="dynamic")
    result = answer(harness, "a")
    rolled_back_once(harness, lambda: harness.publish(*result))
    assert harness.task("dynamic", "d").own_definition["retryCount"] == 5


def test_who_asks_for_a_run_that_another_decider_has_ended_hears_how_it_stands_now():
    # Given a run that was begun here, and that the decider of its partition has brought to its end.
    harness = Harness()
    harness.register(TWO_STEPS)
    run = harness.start("two_steps", idempotency_key="k", idempotency_strategy="FAIL_ON_RUNNING")
    begun_here = harness.executor
    harness.restart_decider()
    harness.work({"a": lambda _: {}, "b": lambda _: {}})
    assert harness.run(run).status == "COMPLETED"
    # When it is asked for here again, unless it is running.
    harness.executor = begun_here
    asker = harness.broker.connect()
    asker.declare_replies("baton.reply.asker")
    asker.consume("baton.reply.asker", 10)
    start = StartWorkflow(
        event_id="again",
        workflow_id=run,
        name="two_steps",
        idempotency_key="k",
        idempotency_strategy="FAIL_ON_RUNNING",
        reply_to="baton.reply.asker",
    )
    harness.publish(encode_start(start))
    # Then that is granted.
    (answered,) = asker.receive(10, 0)
    assert decode_outcome(answered).granted


def test_a_request_that_comes_again_to_an_old_copy_sends_all_that_it_led_to_not_just_the_answer():
    harness = Harness()
    harness.register(
        {
            "name": "asks",
            "tasks": [
                {"name": "h", "taskReferenceName": "h", "type": "HUMAN"},
                {"name": "a", "taskReferenceName": "a", "type": "SIMPLE"},
            ],
        }
    )
    run = harness.start("asks")
    mine = harness.executor
    harness.executor = Executor(harness.store, harness.road, harness.clock, harness.settings, 1)
    # Given a signal whose consequences were stored and not sent, by somebody who is gone
    publish = harness.road.publish

    def die(_):
        raise BrokerUnavailable("gone")

    harness.road.publish = die
    with pytest.raises(BrokerUnavailable):
        harness.request(run, "signal")
    harness.road.publish = publish
    harness.road.reconnect()
    harness.executor = mine
    harness.carry()
    assert [each.message.headers["id"] for each in harness.take("a")] == [f"{run}.2"]


def test_what_a_wide_fork_commands_is_published_a_few_hundred_messages_at_a_time():
    harness = Harness()
    fork = {
        "name": "fork",
        "taskReferenceName": "fork",
        "type": "FORK_JOIN_DYNAMIC",
        "inputParameters": {"forkTaskName": "same", "forkTaskInputs": "${workflow.input.elements}"},
    }
    harness.register({"name": "wide", "tasks": [fork, {"name": "j", "taskReferenceName": "j", "type": "JOIN"}]})
    publish, portions = harness.road.publish, []

    def counted(messages):
        portions.append(len(messages))
        publish(messages)

    harness.road.publish = counted
    harness.start("wide", {"elements": [{}] * 5_000})
    assert sum(portions) > 5_000
    assert max(portions) == 500
    assert len(harness.take("same")) == 5_000
