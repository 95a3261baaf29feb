"""Each date starts one run, whatever dies meanwhile, and changes count at once."""

from __future__ import annotations

from typing import Any

import pytest

from engine.clock import after, milliseconds
from engine.errors import BrokerUnavailable
from engine.services.scheduler import Scheduler
from engine.wire.message import DEAD_QUEUE, START_QUEUE
from engine.wire.schedule_json import run_of
from tests.unit.schedules.site import Killed, Site, away, killed


def test_a_date_that_has_come_starts_a_run_that_is_told_of_it(site: Site) -> None:
    request = {"name": "report", "input": {"to": "Ada"}, "correlationId": "daily", "priority": 7}
    site.save(startWorkflowRequest=request, cronExpression="0 * * * * *", zoneId="Europe/Berlin")
    site.at(59.9)
    assert site.runs() == []
    site.at(60.2)
    (run,) = site.runs()
    date = milliseconds(after(site.begin, 60))
    assert run.input == {
        "to": "Ada",
        "_startedByScheduler": "minutely",
        "_scheduledTime": date,
        "_executedTime": date + 200,
        "_executionId": run.id,
        "_schedulerCron": "0 * * * * * Europe/Berlin",
    }
    assert (run.id, run.correlation_id, run.priority) == (run_of("minutely", after(site.begin, 60)), "daily", 7)


def test_an_execution_is_polled_until_its_run_is_there(site: Site) -> None:
    site.save()
    site.engine.clock.set(after(site.begin, 60))
    site.scheduler.look()
    assert site.states() == ["POLLED"]
    site.engine.carry()
    site.at(61)
    assert site.states() == ["EXECUTED"]


def test_one_run_for_each_minute(site: Site) -> None:
    site.save()
    for tenth in range(10, 3_600, 5):
        site.at(tenth / 10)
    assert site.minutes() == [1, 2, 3, 4, 5]
    assert site.states()[:-1] == ["EXECUTED"] * 4


def test_a_scheduler_that_dies_before_it_has_published_is_followed_by_one_that_does(site: Site) -> None:
    site.save()
    site.line.before = killed
    with pytest.raises(Killed):
        site.at(60)
    site.restart()
    site.at(61)
    assert site.minutes() == [], "the first one may only be slow"
    site.at(71)
    assert site.minutes() == [1]
    site.at(77)
    assert site.states() == ["EXECUTED"]


def test_one_that_dies_after_it_has_published_leaves_one_run(site: Site) -> None:
    site.save()
    site.line.behind = killed
    with pytest.raises(Killed):
        site.at(60)
    site.restart()
    for seconds in range(61, 119):
        site.at(seconds)
    assert site.minutes() == [1]
    assert site.states() == ["EXECUTED"]


def test_a_start_that_was_published_twice_starts_one_run(site: Site) -> None:
    site.save()
    site.engine.clock.set(after(site.begin, 60))
    site.scheduler.look()
    site.engine.clock.set(after(site.begin, 75))
    site.scheduler.look()
    assert site.line.ready(START_QUEUE) == 2
    site.engine.carry()
    assert site.minutes() == [1]


def test_a_start_that_the_broker_has_lost_is_published_again(site: Site) -> None:
    site.save()
    site.engine.clock.set(after(site.begin, 60))
    site.scheduler.look()
    site.engine.broker.delete_queue(START_QUEUE)
    site.at(71)
    site.at(76)
    assert (site.minutes(), site.states()) == ([1], ["EXECUTED"])


def test_a_broker_that_is_away_costs_no_date(site: Site) -> None:
    site.save()
    site.line.before = away
    with pytest.raises(BrokerUnavailable):
        site.at(60)
    site.line.before = lambda: None
    site.at(60.5)
    assert site.minutes() == [1]


def test_while_starts_stand_in_a_long_line_they_are_repeated_ever_more_rarely(site: Site) -> None:
    site.save(cronExpression="0 0 0 1 1 *", scheduleStartTime=None)
    site.save(cronExpression="0 * * * * *", scheduleEndTime=milliseconds(after(site.begin, 60)))
    for seconds in range(60, 1_200):
        site.engine.clock.set(after(site.begin, seconds))
        site.scheduler.look()
    assert site.line.ready(START_QUEUE) == 8
    site.engine.carry()
    assert site.minutes() == [1]


def test_a_start_that_makes_no_run_within_an_hour_is_given_up(site: Site) -> None:
    site.save(overlapPolicy="SKIP", scheduleEndTime=milliseconds(after(site.begin, 60)))
    for seconds in range(60, 9_000, 10):
        site.engine.clock.set(after(site.begin, seconds))
        site.scheduler.look()
    (lost,) = site.executions()
    assert lost.state == "FAILED"
    assert "within an hour" in str(lost.reason)


def test_two_schedulers_start_one_run_for_each_date(site: Site) -> None:
    site.save()
    other = Scheduler(site.engine.store, site.engine.broker.connect(), site.engine.clock, site.engine.settings, 1)
    for seconds in range(1, 200):
        site.at(seconds)
        other.look()
    site.engine.carry()
    assert site.minutes() == [1, 2, 3]


def test_a_workflow_that_is_gone_is_told_by_the_execution_and_by_no_dead_letter(site: Site) -> None:
    site.save()
    with site.engine.store.transaction() as transaction:
        transaction.unregister_workflow("report", 1)
    site.at(60)
    (failed,) = site.executions()
    assert (failed.state, failed.reason) == ("FAILED", "No such workflow defined. name=report, version=null")
    assert site.runs() == []
    assert not site.line.ready(DEAD_QUEUE)


def test_a_workflow_that_is_back_is_started_at_the_next_date(site: Site) -> None:
    site.save()
    with site.engine.store.transaction() as transaction:
        transaction.unregister_workflow("report", 1)
    site.at(60)
    site.engine.register({"name": "report", "tasks": [{"name": "write", "taskReferenceName": "write"}]})
    site.at(120)
    assert site.minutes() == [2]


def test_a_workflow_that_goes_while_its_start_waits_is_told_too(site: Site) -> None:
    site.save()
    site.line.before = killed
    with pytest.raises(Killed):
        site.at(60)
    with site.engine.store.transaction() as transaction:
        transaction.unregister_workflow("report", 1)
    site.restart()
    site.at(71)
    assert site.states() == ["FAILED"]


def test_an_inline_definition_is_started(site: Site) -> None:
    inline = {"name": "own", "version": 3, "tasks": [{"name": "write", "taskReferenceName": "write"}]}
    site.save(startWorkflowRequest={"name": "own", "workflowDef": inline})
    site.at(60)
    assert [(run.name, run.version) for run in site.runs()] == [("own", 3)]


# changes


def test_dates_of_a_paused_schedule_start_nothing_ever(site: Site) -> None:
    site.save(runCatchupScheduleInstances=True)
    site.at(60)
    site.pause()
    site.at(120)
    site.at(200)
    site.resume()
    site.at(240)
    assert site.minutes() == [1, 4]


def test_a_change_counts_at_once(site: Site) -> None:
    site.save(cronExpression="0 0 0 1 1 *")
    site.look()
    site.save(cronExpression="*/10 * * * * *")
    site.at(10)
    assert len(site.runs()) == 1


def test_a_change_that_leaves_the_dates_alone_loses_none_that_has_just_come(site: Site) -> None:
    site.save()
    site.engine.clock.set(after(site.begin, 60.05))
    site.save(startWorkflowRequest={"name": "report", "input": {"new": True}})
    site.look()
    assert [run.input["new"] for run in site.runs()] == [True]


def test_a_schedule_that_is_deleted_starts_nothing_more(site: Site) -> None:
    site.save()
    site.at(60)
    with site.engine.store.transaction() as transaction:
        transaction.drop_schedule("minutely")
    site.at(120)
    assert site.minutes() == [1]


def test_a_schedule_whose_window_is_over_sleeps_for_ever(site: Site) -> None:
    site.save(scheduleEndTime=milliseconds(after(site.begin, 120)))
    for minute in range(1, 5):
        site.at(60 * minute)
    assert site.minutes() == [1, 2]
    assert site.scheduler.look() is None


def test_dates_that_were_missed_are_caught_up_where_that_is_wanted(site: Site) -> None:
    site.save(runCatchupScheduleInstances=True)
    site.at(600)
    assert site.minutes() == list(range(1, 11))


def test_hundreds_of_schedules_of_one_date_are_taken_up_in_one_look(site: Site) -> None:
    for number in range(250):
        site.save(name=f"s{number}")
    site.at(60)
    assert len(site.runs()) == 250


def test_a_long_time_is_caught_up_in_few_looks(site: Site) -> None:
    site.save(runCatchupScheduleInstances=True)
    site.at(60 * 350)
    assert site.minutes() == list(range(1, 351))


def test_a_schedule_that_cannot_be_read_stops_no_other(site: Site) -> None:
    site.save()
    site.save(name="other")
    with site.engine.store.transaction() as transaction:
        row = transaction.schedule("minutely")
        assert row is not None
        broken: Any = {**row.document, "overlapPolicy": "OF_A_NEWER_VERSION"}
        transaction.put_schedule(type(row)(row.name, broken, row.progress))
    site.at(60)
    assert [run.input["_startedByScheduler"] for run in site.runs()] == ["other"]
    assert site.scheduler.look() == after(site.begin, 120)


def test_only_so_many_executions_are_remembered() -> None:
    site = Site(kept=3)
    site.save()
    for tenth in range(10, 600):
        site.at(tenth)
    assert site.minutes() == list(range(1, 10))
    assert len(site.executions()) == 3
