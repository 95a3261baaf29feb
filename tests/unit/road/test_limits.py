"""Limited tasks on the road: no more are out than there are slots, and the first in line is next."""

from __future__ import annotations

import pytest

from engine.decider.validate import check_task
from engine.model.event import SlotNews
from engine.model.status import Slot
from engine.testing.harness import Harness
from engine.wire.request_message import encode_slot_news
from tests.unit.road.limited_tasks import RUNS, complete, define, limited, limited_tasks, out, slots, start, step


@pytest.fixture
def harness() -> Harness:
    return limited_tasks()


def test_one_at_a_time_goes_out_and_the_next_one_follows_at_once(harness):
    start(harness, *RUNS)
    assert slots(harness, *RUNS) == [Slot.HELD, Slot.WAITING, Slot.WAITING]
    assert out(harness) == ["one"]
    complete(harness, "one")
    assert out(harness) == ["two"]
    complete(harness, "two")
    assert out(harness) == ["three"]
    complete(harness, "three")
    assert {harness.run(run).status for run in RUNS} == {"COMPLETED"}
    assert not harness.store._tables.slots


def test_the_higher_priority_comes_first(harness):
    start(harness, "one", "two")
    harness.start("single", workflow_id="urgent", priority=80)
    out(harness)
    complete(harness, "one")
    assert out(harness) == ["urgent"]


def test_a_waiting_task_holds_up_neither_its_own_run_nor_others(harness):
    start(harness, "one")
    start(harness, "two", workflow="both")
    start(harness, "three", workflow="plain")
    assert harness.work({"plenty": lambda _: {}}) == 2
    assert harness.run("three").status == "COMPLETED"
    assert harness.statuses("two")["plenty"] == "COMPLETED"
    assert slots(harness, "two") == [Slot.WAITING]


def test_tasks_without_a_limit_have_nothing_to_do_with_slots(harness, monkeypatch):
    transaction_type = type(harness.store.transaction().__enter__())

    def refuse(*_: object) -> None:
        raise AssertionError("nobody is limited")

    for name in ("lock_limits", "exchange_slots", "unsent_grants"):
        monkeypatch.setattr(transaction_type, name, refuse)
    start(harness, "three", workflow="plain")
    assert harness.work({"plenty": lambda _: {}}) == 1
    assert harness.run("three").status == "COMPLETED"


@pytest.mark.parametrize("end", ["terminate", "fail", "time out", "worker's failure"])
def test_whatever_ends_a_task_gives_its_slot_to_the_next(harness, end):
    define(harness, totalTimeoutSeconds=3, timeoutPolicy="RETRY", responseTimeoutSeconds=2)
    start(harness, "one")
    harness.advance(1)
    start(harness, "two")
    assert out(harness) == ["one"]
    if end == "terminate":
        harness.request("one", "terminate")
    elif end == "fail":
        harness.request("one", "update_task", ref="scarce", status="FAILED_WITH_TERMINAL_ERROR")
    elif end == "time out":
        harness.advance(2)
    else:
        harness.request("one", "update_task", ref="scarce", status="FAILED")
    assert out(harness) == ["two"]


def test_a_further_attempt_stands_in_line_anew(harness):
    start(harness, "one", "two", "three")
    out(harness)
    harness.request("one", "update_task", ref="scarce", status="FAILED")
    assert out(harness) == ["two"]
    harness.advance(6)
    assert slots(harness, "one", "three") == [Slot.WAITING, Slot.WAITING]
    complete(harness, "two")
    assert out(harness) == ["three"]
    complete(harness, "three")
    assert out(harness) == ["one"]
    assert harness.task("one", "scarce").attempt == 1


def test_whoever_is_ended_while_waiting_leaves_the_line(harness):
    start(harness, *RUNS)
    out(harness)
    harness.request("two", "terminate")
    assert not [message for message in harness.take("scarce") if message]
    complete(harness, "one")
    assert out(harness) == ["three"]


def test_no_deadline_but_the_total_one_runs_while_a_task_waits(harness):
    define(harness, responseTimeoutSeconds=2, pollTimeoutSeconds=3, timeoutSeconds=4, totalTimeoutSeconds=3_000)
    harness.register({"name": "single", "tasks": [step("scarce")]})
    start(harness, "one", "two")
    out(harness)
    harness.request("one", "update_task", ref="scarce", status="IN_PROGRESS", extendLease=True)
    for _ in range(60):
        harness.advance(1)
        harness.request("one", "update_task", ref="scarce", status="IN_PROGRESS", extendLease=True)
        if harness.task("one", "scarce").status != "IN_PROGRESS":
            break
    else:
        raise AssertionError("the task timeout of the holder never came")
    assert harness.task("two", "scarce").attempt == 0
    assert out(harness) == ["two"]
    harness.advance(3.5)
    assert harness.task("two", "scarce").reason.startswith("Task poll timed out after 3")


def test_the_total_timeout_takes_a_waiting_task_out_of_the_line(harness):
    define(harness, totalTimeoutSeconds=7, timeoutPolicy="TIME_OUT_WF", responseTimeoutSeconds=7)
    start(harness, "two")
    define(harness, concurrentExecLimit=0)
    assert out(harness) == ["two"]
    define(harness)
    start(harness, "one")
    define(harness, totalTimeoutSeconds=7)
    harness.advance(2)
    harness.register({"name": "single", "tasks": [step("scarce")]}, tasks=[limited(totalTimeoutSeconds=7)])
    start(harness, "late")
    assert slots(harness, "late") == [Slot.WAITING]
    harness.advance(8)
    assert harness.run("late").status == "TIMED_OUT"


def test_a_waiting_task_of_a_paused_run_keeps_its_place_and_goes_out_in_turn(harness):
    start(harness, *RUNS)
    out(harness)
    harness.request("two", "pause")
    complete(harness, "one")
    assert out(harness) == ["two"]
    complete(harness, "two")
    assert harness.run("two").status == "PAUSED"
    assert out(harness) == ["three"]
    harness.request("two", "resume")
    assert harness.run("two").status == "COMPLETED"


def test_resuming_a_run_whose_task_waits_changes_nothing_about_its_place(harness):
    start(harness, *RUNS)
    for verb in ("pause", "resume"):
        harness.request("two", verb)
    harness.restart_decider()
    assert slots(harness, *RUNS) == [Slot.HELD, Slot.WAITING, Slot.WAITING]
    out(harness)
    complete(harness, "one")
    assert out(harness) == ["two"]


def test_a_task_that_its_worker_wants_back_later_keeps_its_slot(harness):
    start(harness, "one", "two")
    out(harness)
    harness.request("one", "update_task", ref="scarce", status="IN_PROGRESS", callbackAfterSeconds=30)
    assert out(harness) == []
    harness.advance(31)
    assert out(harness) == ["one"]
    complete(harness, "one")
    assert out(harness) == ["two"]


def test_nobody_can_be_at_work_on_a_task_that_waits(harness):
    start(harness, "one", "two")
    for fields in ({"extendLease": True}, {"callbackAfterSeconds": 1}):
        answer = harness.request("two", "update_task", ref="scarce", status="IN_PROGRESS", **fields)
        assert answer.result["applied"] is False
    assert slots(harness, "two") == [Slot.WAITING]
    complete(harness, "two")
    assert harness.run("two").status == "COMPLETED"
    assert list(harness.store._tables.slots) == [("one", 1)]


def test_a_raised_limit_lets_more_out_at_the_next_look_and_a_lowered_one_takes_nothing_back(harness):
    start(harness, *RUNS)
    out(harness)
    define(harness, concurrentExecLimit=3)
    harness.advance(0.1)
    assert sorted(out(harness)) == ["three", "two"]
    define(harness, concurrentExecLimit=1)
    start(harness, "four")
    for run in ("one", "two"):
        complete(harness, run)
        assert out(harness) == []
    complete(harness, "three")
    assert out(harness) == ["four"]


def test_a_limit_that_is_taken_away_lets_everybody_out(harness):
    start(harness, *RUNS)
    out(harness)
    with harness.store.transaction() as transaction:
        transaction.register_tasks([check_task({"name": "scarce"})])
    harness.advance(0.1)
    assert sorted(out(harness)) == ["three", "two"]


def test_a_limit_that_is_written_into_the_workflow_holds_where_none_is_registered(harness):
    inline = step("rare", taskDefinition=limited("rare", concurrentExecLimit=2))
    harness.register({"name": "inline", "tasks": [inline]})
    start(harness, *RUNS, workflow="inline")
    assert len(harness.take("rare")) == 2


def test_a_limit_that_is_new_counts_for_runs_that_have_begun_without_it(harness):
    harness.register({"name": "later", "tasks": [step("plenty"), step("scarce")]}, tasks=[{"name": "scarce"}])
    start(harness, *RUNS, workflow="later")
    define(harness)
    harness.advance(1)
    assert harness.work({"plenty": lambda _: {}}) == 3
    assert len(out(harness)) == 1


def test_a_grant_that_is_announced_again_sends_nothing_twice(harness):
    start(harness, "one", "two")
    assert out(harness) == ["one"]
    for number in range(2):
        news = SlotNews(event_id=f"again {number}", workflow_id="one", seq=1, granted=True)
        harness.publish(encode_slot_news(news, 1))
        harness.request("one", "update_task", ref="scarce", status="IN_PROGRESS", extendLease=True)
    assert out(harness) == []
    assert harness.task("one", "scarce").status == "IN_PROGRESS"


@pytest.mark.parametrize("kind", ["DYNAMIC", "HTTP", "rare"])
def test_every_kind_of_task_that_a_worker_carries_out_can_be_limited(harness, kind):
    fields = {
        "DYNAMIC": {"inputParameters": {"which": "rare"}, "dynamicTaskNameParam": "which"},
        "HTTP": {"inputParameters": {"http_request": {"uri": "http://localhost/"}}},
        "rare": {},
    }[kind]
    harness.register({"name": "w", "tasks": [step("rare", kind, **fields)]}, tasks=[limited("rare")])
    start(harness, *RUNS, workflow="w")
    assert len(harness.take("rare", "system.http")) == 1
    for run in RUNS:
        assert harness.request(run, "update_task", ref="rare", status="COMPLETED").result["applied"]
    assert {harness.run(run).status for run in RUNS} == {"COMPLETED"}
    assert not harness.store._tables.slots


def test_no_more_start_in_a_stretch_of_time_than_the_rate_allows(harness):
    define(harness, concurrentExecLimit=0, rateLimitPerFrequency=2, rateLimitFrequencyInSeconds=10)
    start(harness, "one", "two")
    harness.advance(4)
    start(harness, "three", "four", "five")
    assert out(harness) == ["one", "two"]
    for run in ("one", "two"):
        complete(harness, run)
    harness.advance(5.9)
    assert out(harness) == []
    harness.advance(0.1)
    assert out(harness) == ["three", "four"]
    harness.advance(9.9)
    assert out(harness) == []
    harness.advance(0.2)
    assert out(harness) == ["five"]
