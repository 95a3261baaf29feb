"""Runs of one key: no more go on than their workflow allows, the first in line is next, and nothing is lost."""

from __future__ import annotations

import pytest

from engine.model.event import Wake
from engine.model.limit import limit_of_runs, limits_of
from engine.model.status import Slot
from engine.services.rescuer import Rescuer
from engine.testing.harness import Harness
from engine.wire.request_message import encode_wake
from tests.unit.decider.steps import child, run_of
from tests.unit.road.limited_runs import RUNS, an_engine_with_a_limit, dead, fail, finish, limited, out, slots, start
from tests.unit.road.line import Line


@pytest.fixture
def harness() -> Harness:
    return an_engine_with_a_limit()


def look(harness: Harness) -> None:
    """Let the rescuer look, and carry what comes of it."""
    Rescuer(harness.store, harness.broker.connect(), harness.clock, 1).look()
    harness.carry()


def test_a_run_that_must_wait_exists_and_goes_on_when_the_one_before_has_ended(harness):
    start(harness, *RUNS)
    assert [harness.run(run).status for run in RUNS] == ["RUNNING"] * 3
    assert slots(harness, *RUNS) == [Slot.HELD, Slot.WAITING, Slot.WAITING]
    assert out(harness) == ["one"]
    assert harness.statuses("two") == {}
    finish(harness, "one")
    assert out(harness) == ["two"]
    finish(harness, "two")
    assert out(harness) == ["three"]
    finish(harness, "three")
    assert {harness.run(run).status for run in RUNS} == {"COMPLETED"}
    assert not harness.store._tables.slots


def test_keys_and_workflows_do_not_concern_each_other(harness):
    harness.register({**limited(), "name": "other"})
    start(harness, "one", correlation_id="x")
    start(harness, "two", correlation_id="y")
    start(harness, "three", correlation_id="x")
    harness.start("other", workflow_id="four", correlation_id="x")
    assert out(harness) == ["one", "two", "four"]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("http", "http"),
        ("${workflow.input.shop}", "north"),
        ("${workflow.input.shop}-${workflow.version}", "north-1"),
        ("${workflow.workflowType}", "limited"),
        ("${workflow.input.number}", "7"),
        ("${workflow.input.missing}", ""),
        ("", ""),
    ],
)
def test_the_key_may_be_an_expression_over_the_start(harness, key, found):
    harness.register(limited(key=key))
    start(harness, "one", "two", input={"shop": "north", "number": 7})
    assert (harness.run("one").rate_limit_key, out(harness)) == (found, ["one"])


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_nothing_is_none(harness, limit):
    harness.register(limited(limit))
    start(harness, *RUNS)
    assert out(harness) == list(RUNS)
    assert harness.run("one").rate_limit_key is None


def test_several_may_go_on_and_the_higher_priority_comes_first(harness):
    harness.register(limited(2))
    start(harness, *RUNS)
    start(harness, "urgent", priority=80)
    assert out(harness) == ["one", "two"]
    finish(harness, "two", "one")
    assert out(harness) == ["urgent", "three"]


def test_another_decider_knows_who_waits(harness):
    start(harness, *RUNS)
    out(harness)
    harness.restart_decider()
    harness.publish(encode_wake(Wake(event_id="look", workflow_id="two"), 1))
    assert out(harness) == []
    finish(harness, "one")
    assert out(harness) == ["two"]


# refused


def test_a_start_that_must_not_wait_is_refused(harness):
    harness.register(limited(policy="REJECT"))
    start(harness, "one")
    reply = harness.broker.connect()
    reply.declare_replies("baton.reply.me")
    reply.consume("baton.reply.me", 10)
    harness.start("limited", workflow_id="two", reply_to="baton.reply.me", reply_id="7")
    (said,) = reply.receive(1, 0)
    assert b'"code":409' in said.message.body
    assert b"limited to 1 runs at a time" in said.message.body
    assert "two" not in harness.store._tables.workflows
    assert harness.run("one").slot is Slot.HELD
    finish(harness, "one")
    start(harness, "three")
    assert out(harness) == ["one", "three"]


def test_a_start_message_that_is_refused_becomes_a_dead_letter(harness):
    harness.register(limited(policy="REJECT"))
    start(harness, "one", "two")
    (letter,) = dead(harness)
    assert "limited to 1 runs" in str(letter.message.headers["reason"])


def test_a_parent_whose_child_is_refused_has_the_reason(harness):
    harness.register(limited(policy="REJECT"))
    start(harness, "one")
    parent = run_of(harness, child("kid", "limited"))
    assert harness.task(parent, "kid").status == "FAILED"
    assert "limited to 1 runs" in harness.run(parent).reason


def test_of_starts_that_come_together_as_many_are_taken_as_there_are_slots(harness):
    harness.register(limited(2, policy="REJECT"))
    with_held_back(harness, *RUNS, "four")
    assert out(harness) == ["one", "two"]
    assert len(dead(harness)) == 2


def with_held_back(harness: Harness, *runs: str) -> None:
    """Start these in one batch."""
    carry, harness.carry = harness.carry, lambda: None  # type: ignore[method-assign]
    start(harness, *runs)
    harness.carry = carry  # type: ignore[method-assign]
    harness.carry()


def test_a_slot_that_somebody_else_takes_meanwhile_is_noticed(harness, monkeypatch):
    harness.register(limited(policy="REJECT"))
    start(harness, "one")
    looks = []

    def blind(transaction, limit):
        looks.append(limit)
        return 0 if len(looks) == 1 else 1

    monkeypatch.setattr("engine.testing.memory_slots.MemorySlots.slots_taken", blind)
    start(harness, "two")
    assert len(looks) == 2
    assert "two" not in harness.store._tables.workflows
    assert len(dead(harness)) == 1


def test_a_retry_waits_also_where_a_start_would_be_refused(harness):
    harness.register(limited(policy="REJECT"))
    start(harness, "one")
    fail(harness, "one")
    start(harness, "two")
    assert harness.request("one", "retry").granted
    assert slots(harness, "one", "two") == [Slot.WAITING, Slot.HELD]


# what may be lost


@pytest.mark.parametrize("after", [0, 1])
def test_a_line_that_is_cut_loses_no_slot(harness, after):
    start(harness, "one", "two")
    out(harness)
    line = Line(harness)
    with line.cut(after):
        finish(harness, "one")
    finish_what_is_left(harness, "one")
    assert out(harness) == ["two"]


def finish_what_is_left(harness: Harness, run: str) -> None:
    if harness.run(run).status.is_open:
        harness.request(run, "update_task", ref="b", status="COMPLETED")


def test_a_grant_that_was_lost_is_announced_again(harness):
    start(harness, "one", "two")
    out(harness)
    publish, harness.road.publish = (
        harness.road.publish,
        lambda messages: publish([each for each in messages if each.headers.get("baton") != "slot"]),
    )
    finish(harness, "one")
    harness.road.publish = publish
    assert out(harness) == []
    harness.clock.advance(11)
    look(harness)
    assert out(harness) == ["two"]


def test_a_rescue_asks_again_for_those_who_wait(harness):
    start(harness, "one", "two")
    out(harness)
    harness.publish(encode_wake(Wake(event_id="resend", workflow_id="two", resend=True), 1))
    assert (out(harness), slots(harness, "two")) == ([], [Slot.WAITING])


def test_slots_of_runs_that_are_gone_are_taken_back_and_limits_nobody_needs_are_forgotten(harness):
    start(harness, "one", "two", correlation_id="x")
    out(harness)
    tables = harness.store._tables
    del tables.workflows["one"]
    look(harness)
    harness.advance(1)
    assert out(harness) == ["two"]
    assert list(tables.limits) == [limit_of_runs("limited", "x")]
    finish(harness, "two")
    look(harness)
    assert not tables.limits


# names


def test_the_name_of_a_limit_is_short_and_its_own():
    long = "k" * 1_000
    names = {limit_of_runs("w", key) for key in ("a", "b", long, long + "k", "")}
    assert len(names) == 5
    assert all(len(name) <= 500 and name.startswith(limits_of("w")) for name in names)
