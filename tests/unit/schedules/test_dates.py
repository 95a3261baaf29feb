"""Which dates have come: late ones, missed ones, those of several expressions, and none outside of the window."""

from __future__ import annotations

from itertools import islice
from typing import Any

from engine.clock import SECOND, Instant, after
from engine.model.execution import NEVER
from engine.model.schedule import MOST_AT_ONCE, Schedule, come, dates, next_date
from tests.conformance.store.runs import MOMENT

#: A full hour.
HOUR = Instant(MOMENT - MOMENT % (3_600 * SECOND))


def hours(number: float) -> Instant:
    return after(HOUR, 3_600 * number)


def a_schedule(expression: str | None = "0 0 * * * *", **fields: Any) -> Schedule:
    return Schedule(name="s", cron_expression=expression, start_workflow_request={"name": "w"}, **fields)


def taken(schedule: Schedule, next_at: Instant, now: Instant) -> tuple[list[Instant], Instant]:
    found, following = come(schedule, next_at, now)
    return [date.at for date in found], following


def test_a_date_that_has_not_come_is_left_alone() -> None:
    assert taken(a_schedule(), hours(1), hours(0.9)) == ([], hours(1))


def test_a_date_is_taken_up_when_it_has_come_and_the_next_one_follows() -> None:
    assert taken(a_schedule(), hours(1), hours(1)) == ([hours(1)], hours(2))


def test_dates_that_a_busy_scheduler_is_late_for_are_all_taken_up() -> None:
    every_second = a_schedule("* * * * * *")
    assert taken(every_second, hours(1), after(hours(1), 2.7)) == (
        [after(hours(1), number) for number in range(3)],
        after(hours(1), 3),
    )


def test_where_no_date_is_to_come_none_comes_however_long_one_waits() -> None:
    assert taken(a_schedule(run_catchup_schedule_instances=True), NEVER, hours(1)) == ([], NEVER)


def test_of_dates_that_were_missed_only_the_first_is_taken_up() -> None:
    assert taken(a_schedule(), hours(1), hours(4.5)) == ([hours(1)], hours(5))


def test_none_of_those_that_were_missed_is_taken_up_when_another_has_just_come() -> None:
    assert taken(a_schedule(), hours(1), after(hours(4), 30)) == ([hours(4)], hours(5))


def test_whoever_catches_up_misses_none() -> None:
    catching_up = a_schedule(run_catchup_schedule_instances=True)
    assert taken(catching_up, hours(1), hours(4.5)) == ([hours(1), hours(2), hours(3), hours(4)], hours(5))


def test_many_are_caught_up_a_part_at_a_time() -> None:
    catching_up = a_schedule(run_catchup_schedule_instances=True)
    found, following = taken(catching_up, hours(1), hours(150))
    assert (found[0], len(found), following) == (hours(1), MOST_AT_ONCE, hours(101))
    found, following = taken(catching_up, following, hours(150))
    assert (found[0], found[-1], following) == (hours(101), hours(150), hours(151))


def test_catching_up_heeds_the_end_of_the_window() -> None:
    ending = a_schedule(run_catchup_schedule_instances=True, schedule_end_time=hours(2) // 1_000)
    assert taken(ending, hours(1), hours(4.5)) == ([hours(1), hours(2)], NEVER)


def test_the_window_begins_and_ends_with_a_date_on_its_edge() -> None:
    window = a_schedule(schedule_start_time=hours(5) // 1_000, schedule_end_time=hours(7) // 1_000)
    assert [date.at for date in dates(window, HOUR)] == [hours(5), hours(6), hours(7)]
    inside = a_schedule(schedule_start_time=hours(5) // 1_000 + 1, schedule_end_time=hours(7) // 1_000 - 1)
    assert [date.at for date in dates(inside, HOUR)] == [hours(6)]


def test_of_several_expressions_the_earliest_wins_and_a_shared_moment_counts_once() -> None:
    several = a_schedule(
        "0 0 * * * *",
        cron_schedules=(
            {"cronExpression": "0 30 * * * *", "zoneId": "Europe/Berlin"},
            {"cronExpression": "0 0 * * * *", "zoneId": "America/New_York"},
        ),
    )
    found = list(islice(dates(several, HOUR), 3))
    assert [(date.at, date.zone) for date in found] == [
        (hours(0.5), "Europe/Berlin"),
        (hours(1), "UTC"),
        (hours(1.5), "Europe/Berlin"),
    ]


def test_a_schedule_without_expression_or_without_further_days_has_no_date() -> None:
    assert next_date(a_schedule(None), HOUR) is None
    assert next_date(a_schedule("0 0 0 30 2 *"), HOUR) is None
    assert taken(a_schedule("0 0 0 30 2 *"), hours(1), hours(2)) == ([], NEVER)
