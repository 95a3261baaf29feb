"""Runs of one schedule overlap as its ``overlapPolicy`` wants it."""

from __future__ import annotations

import pytest

from engine.clock import after, milliseconds
from engine.wire.message import START_QUEUE
from tests.unit.schedules.site import Killed, Site, killed


def test_runs_overlap_where_nothing_else_is_said(site: Site) -> None:
    site.save()
    for minute in (1, 2, 3):
        site.at(60 * minute)
    assert [run.status.value for run in site.runs()] == ["RUNNING"] * 3


def test_a_date_is_skipped_while_the_run_before_is_open(site: Site) -> None:
    site.save(overlapPolicy="SKIP")
    for minute in (1, 2, 3):
        site.at(60 * minute)
    site.finish()
    site.at(240)
    assert site.minutes() == [1, 4]
    reasons = [each.reason for each in site.executions()]
    first = site.runs()[0].id
    assert reasons == [None, *[f"The run before, {first}, was still open (overlapPolicy SKIP)"] * 2, None]


def test_a_run_that_has_not_begun_yet_counts_as_open(site: Site) -> None:
    site.save(overlapPolicy="SKIP")
    for minute in (1, 2):
        site.engine.clock.set(after(site.begin, 60 * minute))
        site.scheduler.look()
    site.engine.carry()
    assert site.minutes() == [1]


def test_one_date_waits_for_the_run_before_and_those_behind_it_are_skipped(site: Site) -> None:
    site.save(overlapPolicy="BUFFER_ONE")
    for minute in (1, 2, 3, 4):
        site.at(60 * minute)
    assert site.minutes() == [1]
    site.finish()
    site.at(243)
    assert site.minutes() == [1, 2]
    assert site.runs()[1].created_at == after(site.begin, 243), "not only when the next date comes"
    assert [each.state.value for each in site.executions()].count("FAILED") == 2


def test_a_date_that_waits_is_no_date_any_more_when_the_schedule_is_paused(site: Site) -> None:
    site.save(overlapPolicy="BUFFER_ONE")
    site.at(60)
    site.at(120)
    site.pause()
    site.finish()
    site.at(150)
    site.resume()
    site.at(170)
    site.at(180)
    assert site.minutes() == [1, 3]


def test_the_run_before_is_terminated_to_make_room(site: Site) -> None:
    site.save(overlapPolicy="CANCEL_PREVIOUS")
    for minute in (1, 2, 3):
        site.at(60 * minute)
    first, second, third = site.runs()
    assert [run.status.value for run in (first, second, third)] == ["TERMINATED", "TERMINATED", "RUNNING"]
    assert first.reason == f"Schedule minutely has started {second.id} (CANCEL_PREVIOUS)"
    assert site.states()[:2] == ["EXECUTED", "EXECUTED"]


def test_a_run_that_had_not_begun_when_it_was_cancelled_ends_all_the_same(site: Site) -> None:
    site.save(overlapPolicy="CANCEL_PREVIOUS")
    for minute in (1, 2):
        site.engine.clock.set(after(site.begin, 60 * minute))
        site.scheduler.look()
        # The request overtakes the start.
        site.engine.executor.handle([each for each in site.engine.road.receive(100, 0) if each.queue != START_QUEUE])
    site.engine.road.reconnect()
    site.engine.carry()
    assert [run.status.value for run in site.runs()] == ["RUNNING", "RUNNING"]
    site.at(131)
    assert [run.status.value for run in site.runs()] == ["TERMINATED", "RUNNING"]


def test_a_run_that_begins_only_after_the_one_that_takes_its_place_ends_all_the_same(site: Site) -> None:
    until = milliseconds(after(site.begin, 4))
    site.save(overlapPolicy="CANCEL_PREVIOUS", cronExpression="*/2 * * * * *", scheduleEndTime=until)
    site.line.before = killed
    with pytest.raises(Killed):
        site.at(2)
    site.restart()
    for seconds in (4, 6, 13):
        site.at(seconds)
    assert [run.status.value for run in site.runs()] == ["RUNNING", "RUNNING"]
    site.at(26)
    assert [run.status.value for run in site.runs()] == ["TERMINATED", "RUNNING"]


def test_a_run_that_has_ended_is_left_alone(site: Site) -> None:
    site.save(overlapPolicy="CANCEL_PREVIOUS")
    site.at(60)
    site.finish()
    site.at(120)
    assert [run.status.value for run in site.runs()] == ["COMPLETED", "RUNNING"]
