"""A run that waits for its turn: what may happen to it meanwhile, and to the limit that it waits for."""

from __future__ import annotations

import pytest

from engine.decider.validate import check_workflow
from engine.model.event import SlotNews
from engine.model.status import Slot
from engine.testing.harness import Harness
from engine.wire.request_message import encode_slot_news
from tests.unit.decider.steps import child, echo, run_of, step
from tests.unit.road.limited_runs import RUNS, an_engine_with_a_limit, fail, finish, limited, out, slots, start


@pytest.fixture
def harness() -> Harness:
    return an_engine_with_a_limit()


def test_a_parent_knows_its_waiting_child_and_waits_for_it(harness):
    start(harness, "one")
    parent = run_of(harness, child("kid", "limited"))
    kid = harness.task(parent, "kid")
    assert kid.status == "IN_PROGRESS"
    assert slots(harness, str(kid.child_id)) == [Slot.WAITING]
    finish(harness, "one", str(kid.child_id))
    assert harness.run(parent).status == "COMPLETED"


def test_a_run_that_is_terminated_while_it_waits_leaves_the_line(harness):
    start(harness, *RUNS)
    out(harness)
    assert harness.request("two", "terminate").granted
    finish(harness, "one")
    assert out(harness) == ["three"]


def test_a_paused_run_keeps_its_place_and_goes_on_when_it_is_resumed(harness):
    start(harness, *RUNS)
    out(harness)
    harness.request("two", "pause")
    finish(harness, "one")
    assert (out(harness), slots(harness, "two", "three")) == ([], [Slot.HELD, Slot.WAITING])
    harness.request("two", "resume")
    assert out(harness) == ["two"]


def test_a_waiting_run_that_was_paused_and_resumed_still_waits(harness):
    start(harness, "one", "two")
    out(harness)
    harness.request("two", "pause")
    harness.request("two", "resume")
    assert out(harness) == []
    finish(harness, "one")
    assert out(harness) == ["two"]


def test_the_time_limit_of_a_run_counts_while_it_waits(harness):
    harness.register(limited(timeoutSeconds=10, timeoutPolicy="TIME_OUT_WF"))
    start(harness, "one")
    harness.clock.advance(5)
    start(harness, "two", "three")
    harness.advance(5)
    assert [harness.run(run).status for run in RUNS] == ["TIMED_OUT", "RUNNING", "RUNNING"]
    harness.advance(5)
    assert [harness.run(run).status for run in RUNS] == ["TIMED_OUT"] * 3
    assert not harness.store._tables.slots


def test_a_retry_waits_for_a_slot_anew_and_goes_on_where_it_was(harness):
    start(harness, "one", "two")
    fail(harness, "one")
    assert out(harness) == ["one", "two"]
    assert harness.request("one", "retry").granted
    assert slots(harness, "one", "two") == [Slot.WAITING, Slot.HELD]
    harness.advance(5)
    assert out(harness) == []
    finish(harness, "two")
    assert out(harness) == ["one"]
    finish(harness, "one")
    assert harness.run("one").status == "COMPLETED"


def test_a_late_word_of_an_earlier_slot_is_none_of_a_later_one(harness):
    start(harness, "one", "two")
    out(harness)
    fail(harness, "one")
    harness.request("one", "retry")
    late = SlotNews(event_id="one.-1/slot", workflow_id="one", seq=-1, granted=True)
    harness.publish(encode_slot_news(late, 1))
    assert (harness.run("one").slot, harness.run("one").slot_no) == (Slot.WAITING, 2)


def test_a_task_that_ends_while_its_run_waits_is_taken_up_later(harness):
    harness.register(
        {**limited(), "tasks": [step("a"), step("call", "HTTP", inputParameters={"uri": "http://x"}), step("c")]}
    )
    start(harness, "one")
    harness.work({"a": echo})
    harness.request("one", "update_task", ref="call", status="FAILED")
    start(harness, "two")
    harness.request("one", "retry")
    assert harness.task("one", "call").status == "SCHEDULED"
    assert harness.request("one", "update_task", ref="call", status="COMPLETED").granted
    assert out(harness, "c") == []
    harness.request("two", "terminate")
    assert out(harness, "c") == ["one"]


@pytest.mark.parametrize(
    ("verb", "arguments"), [("restart", {}), ("restart", {"useLatestDefinitions": True}), ("rerun", {})]
)
def test_a_run_that_begins_again_waits_for_a_slot_like_a_new_one(harness, verb, arguments):
    start(harness, "one", "two")
    out(harness)
    fail(harness, "one")
    assert out(harness) == ["two"]
    assert harness.request("one", verb, **arguments).granted
    assert (out(harness), harness.statuses("one"), slots(harness, "one")) == ([], {}, [Slot.WAITING])
    finish(harness, "two")
    assert out(harness) == ["one"]
    finish(harness, "one")
    assert harness.run("one").status == "COMPLETED"


def test_a_run_that_is_restarted_goes_by_what_its_definition_says_now(harness):
    harness.register({"name": "limited", "tasks": [step("a")]})
    start(harness, "one", "two")
    harness.request("one", "terminate")
    harness.register(limited(policy="REJECT"))
    start(harness, "three")
    assert harness.request("one", "restart", useLatestDefinitions=True).granted
    assert (harness.run("one").rate_limit_key, slots(harness, "one", "three")) == ("", [Slot.WAITING, Slot.HELD])
    harness.request("three", "terminate")
    assert slots(harness, "one") == [Slot.HELD]
    harness.request("one", "terminate")
    harness.register({"name": "limited", "tasks": [step("a")]})
    assert harness.request("one", "restart", useLatestDefinitions=True).granted
    assert (harness.run("one").rate_limit_key, slots(harness, "one")) == (None, [Slot.NONE])


def test_a_raised_limit_lets_those_who_wait_go_on(harness):
    start(harness, *RUNS)
    out(harness)
    with harness.store.transaction() as transaction:
        transaction.register_workflow(check_workflow(limited(2)), overwrite=True)
    harness.advance(1)
    assert out(harness) == ["two"]


def test_a_limit_that_is_taken_away_holds_for_runs_that_began_under_it(harness):
    start(harness, "one", "two")
    harness.register({"name": "limited", "tasks": [step("a")]})
    start(harness, "three")
    assert out(harness) == ["one", "three"]
    finish(harness, "one")
    assert out(harness) == ["two"]
