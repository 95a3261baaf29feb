"""Expressions mean what Spring's do, and a clock that is put forward or back makes nobody miss or repeat a date."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import LATEST, SECOND
from engine.errors import BadExpression
from engine.model.cron import cron, zone_of


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def dates(expression: str, after: str, count: int = 3, zone: str = "UTC") -> list[str]:
    """Return the next dates in local time, with their offset where the zone has several."""
    moment, found = instant(after), []
    while len(found) < count:
        date = cron(expression, zone).after(moment)
        if date is None:
            break
        local = datetime.fromtimestamp(date // SECOND, ZoneInfo(zone))
        found.append(local.isoformat(" ").replace("+00:00", "") if zone == "UTC" else local.isoformat(" "))
        moment = date
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 30 9 * * *", ["2026-01-01 09:30:00", "2026-01-02 09:30:00"]),
        ("*/20 * * * * *", ["2026-01-01 00:00:20", "2026-01-01 00:00:40", "2026-01-01 00:01:00"]),
        ("5/20 0 0 * * *", ["2026-01-01 00:00:05", "2026-01-01 00:00:25", "2026-01-01 00:00:45"]),
        ("0 0 9-17/4 * * *", ["2026-01-01 09:00:00", "2026-01-01 13:00:00", "2026-01-01 17:00:00"]),
        ("0 0 9,18 ? * ?", ["2026-01-01 09:00:00", "2026-01-01 18:00:00", "2026-01-02 09:00:00"]),
        ("0 0 9 * * MON-FRI", ["2026-01-01 09:00:00", "2026-01-02 09:00:00", "2026-01-05 09:00:00"]),
        ("0 0 9 * jan,jul mon", ["2026-01-05 09:00:00", "2026-01-12 09:00:00"]),
        ("0 0 9 1 */6 *", ["2026-01-01 09:00:00", "2026-07-01 09:00:00", "2027-01-01 09:00:00"]),
        ("0 0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("@hourly", ["2026-01-01 01:00:00", "2026-01-01 02:00:00"]),
        ("@weekly", ["2026-01-04 00:00:00", "2026-01-11 00:00:00"]),
        ("@Yearly", ["2027-01-01 00:00:00"]),
    ],
)
def test_six_fields_name_the_moments_from_the_second_to_the_weekday(expression: str, expected: list[str]) -> None:
    assert dates(expression, "2026-01-01", len(expected)) == expected


@pytest.mark.parametrize("sunday", ["0", "7", "SUN", "sun", "7-7", "0-0"])
def test_sunday_is_0_and_7(sunday: str) -> None:
    assert dates(f"0 0 9 * * {sunday}", "2026-01-01", 2) == ["2026-01-04 09:00:00", "2026-01-11 09:00:00"]


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        ("FRI-SUN", ["02", "03", "04", "09"]),
        ("SUN-MON", ["04", "05", "11"]),
        ("7-1", ["04", "05", "11"]),
        ("5/2", ["02", "09"]),
    ],
)
def test_ranges_of_weekdays_may_begin_or_end_with_sunday(weekdays: str, expected: list[str]) -> None:
    found = dates(f"0 0 9 * * {weekdays}", "2026-01-01", len(expected))
    assert [date[8:10] for date in found] == expected


def test_day_of_month_and_weekday_must_both_fit() -> None:
    assert dates("0 0 9 13 * FRI", "2026-01-01", 2) == ["2026-02-13 09:00:00", "2026-03-13 09:00:00"]


@pytest.mark.parametrize(
    ("day", "weekday", "expected"),
    [
        ("L", "*", ["01-31", "02-28", "03-31"]),
        ("L-3", "*", ["01-28", "02-25", "03-28"]),
        ("LW", "?", ["01-30", "02-27", "03-31"]),
        ("15W", "*", ["01-15", "02-16", "03-16"]),
        ("1W", "*", ["01-01", "02-02", "03-02"]),
        ("1,15W,LW", "*", ["01-01", "01-15", "01-30", "02-01", "02-16", "02-27"]),
        ("?", "5L", ["01-30", "02-27"]),
        ("?", "friL", ["01-30", "02-27"]),
        ("?", "MON#1", ["01-05", "02-02"]),
        ("?", "7#2", ["01-11", "02-08"]),
        ("*", "WED,FRI#2,MONL", ["01-07", "01-09", "01-14", "01-21", "01-26", "01-28"]),
        ("L", "FRI", ["07-31"]),
    ],
)
def test_days_are_counted_from_the_end_by_working_days_and_by_weeks(
    day: str, weekday: str, expected: list[str]
) -> None:
    found = dates(f"0 0 9 {day} * {weekday}", "2026-01-01", len(expected))
    assert [date[5:10] for date in found] == expected


def test_the_fifth_monday_comes_only_in_months_that_have_one() -> None:
    assert dates("0 0 9 * * MON#5", "2026-01-01", 2) == ["2026-03-30 09:00:00", "2026-06-29 09:00:00"]


@pytest.mark.parametrize("expression", ["0 0 0 30 2 *", "0 0 0 31 4,6 ?", "0 0 0 L-31 * *", "0 0 0 LW * SUN"])
def test_what_no_calendar_has_never_comes(expression: str) -> None:
    assert cron(expression, "UTC").after(instant("2026-01-01")) is None


def test_nothing_comes_after_the_last_moment_there_is() -> None:
    assert cron("0 0 0 * * *", "Pacific/Kiritimati").after(LATEST) is None


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("* * * * *", "has 5 fields, which begin with the minute: put the second in front, as in '0 * * * * *'"),
        ("", "has 0 fields: write six"),
        ("0 0 9 * * * 2026", "has 7 fields"),
        ("60 * * * * *", "'60' is no second: use 0 to 59"),
        ("0 -1 * * * *", "'' is no minute"),
        ("0 0 24 * * *", "'24' is no hour: use 0 to 23"),
        ("0 0 9 0 * *", "'0' is no day of the month: use 1 to 31"),
        ("0 0 9 * 13 *", "'13' is no month: use 1 to 12 or JAN to DEC"),
        ("0 0 9 * * 8", "'8' is no day of the week: use 0 to 7 or SUN to SAT"),
        ("0 0 9 * ? *", "'?' is no month"),
        ("0 0 9 * * FRI-MON", "'FRI-MON' runs backwards: write two ranges with a comma between them"),
        ("0 */0 * * * *", "'*/0' is no minute: behind / stands a number from 1"),
        ("0 */x * * * *", "behind / stands a number from 1"),
        ("0 1,,2 * * * *", "'' is no minute"),
        ("0 0 9 * * L", "'L' is no day of the week"),
        ("0 0 9 5LW * *", "'5LW' is no day of the month"),
        ("0 0 9 32W * *", "'32' is no day of the month"),
        ("0 0 9 * * MON#6", "'MON#6' is no day of the week"),
        ("0 H * * * *", "'H' is no minute"),
        ("0 0 9 ٣ * *", "'٣' is no day of the month"),
        ("@often", "there is no '@often'"),
        ("0 " * 200, "a cron expression may have 250 characters"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(expression: str, sentence: str) -> None:
    with pytest.raises(BadExpression) as refused:
        cron(expression, "UTC")
    assert sentence in str(refused.value)


@pytest.mark.parametrize("name", ["Europe/Berlim", "../etc/passwd", "Europe", "", "/etc/localtime", "x" * 300, "a\0b"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(BadExpression, match="there is no time zone"):
        zone_of(name)


def test_a_misspelt_zone_names_the_nearest() -> None:
    with pytest.raises(BadExpression, match="did you mean 'Europe/Berlin'"):
        zone_of("Europe/Berlim")


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        (
            "Europe/Berlin",
            "0 30 2 * * *",
            "2026-03-28T12:00",
            ["2026-03-29 03:00:00+02:00", "2026-03-30 02:30:00+02:00"],
        ),
        (
            "America/New_York",
            "0 30 2 * * *",
            "2026-03-07T12:00",
            ["2026-03-08 03:00:00-04:00", "2026-03-09 02:30:00-04:00"],
        ),
        (
            "America/Santiago",
            "0 30 0 * * *",
            "2026-09-05T12:00",
            ["2026-09-06 01:00:00-03:00", "2026-09-07 00:30:00-03:00"],
        ),
        (
            "Australia/Lord_Howe",
            "0 15 2 * * *",
            "2026-10-03T00:00",
            ["2026-10-04 02:30:00+11:00", "2026-10-05 02:15:00+11:00"],
        ),
        (
            "Pacific/Apia",
            "0 0 12 * * *",
            "2011-12-29T23:00",
            ["2011-12-31 00:00:00+14:00", "2011-12-31 12:00:00+14:00"],
        ),
    ],
)
def test_an_hour_that_the_clock_leaves_out_comes_as_soon_as_it_goes_on(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    assert dates(expression, after, len(expected), zone) == expected


def test_several_dates_in_an_hour_that_is_left_out_come_once() -> None:
    found = dates("0 0/20 2 * * *", "2026-03-28T12:00", 2, "Europe/Berlin")
    assert found == ["2026-03-29 03:00:00+02:00", "2026-03-30 02:00:00+02:00"]


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        (
            "Europe/Berlin",
            "0 30 2 * * *",
            "2026-10-24T12:00",
            ["2026-10-25 02:30:00+02:00", "2026-10-26 02:30:00+01:00"],
        ),
        (
            "America/New_York",
            "0 30 1 * * *",
            "2026-10-31T12:00",
            ["2026-11-01 01:30:00-04:00", "2026-11-02 01:30:00-05:00"],
        ),
        (
            "Australia/Lord_Howe",
            "0 45 1 * * *",
            "2026-04-04T00:00",
            ["2026-04-05 01:45:00+11:00", "2026-04-06 01:45:00+10:30"],
        ),
        (
            "Europe/Berlin",
            "0 0 3 * * *",
            "2026-10-24T12:00",
            ["2026-10-25 03:00:00+01:00", "2026-10-26 03:00:00+01:00"],
        ),
    ],
)
def test_an_hour_that_the_clock_shows_twice_comes_the_first_time_only(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    assert dates(expression, after, len(expected), zone) == expected


def test_within_the_second_showing_of_an_hour_its_dates_are_over() -> None:
    for moment in ("2026-10-25T01:05", "2026-10-25T01:45"):
        assert dates("0 30 2 * * *", moment, 1, "Europe/Berlin") == ["2026-10-26 02:30:00+01:00"]


def test_every_hour_is_an_hour_long_also_in_such_nights() -> None:
    assert dates("0 0 * * * *", "2026-10-24T23:30", 4, "Europe/Berlin") == [
        "2026-10-25 02:00:00+02:00",
        "2026-10-25 02:00:00+01:00",
        "2026-10-25 03:00:00+01:00",
        "2026-10-25 04:00:00+01:00",
    ]
    assert dates("0 0 * * * *", "2026-03-29T00:00:00", 2, "Europe/Berlin") == [
        "2026-03-29 03:00:00+02:00",
        "2026-03-29 04:00:00+02:00",
    ]


def test_every_few_minutes_go_on_through_a_clock_put_back_by_half_an_hour() -> None:
    assert dates("0 */15 * * * *", "2026-04-04T14:30", 5, "Australia/Lord_Howe") == [
        "2026-04-05 01:45:00+11:00",
        "2026-04-05 01:30:00+10:30",
        "2026-04-05 01:45:00+10:30",
        "2026-04-05 02:00:00+10:30",
        "2026-04-05 02:15:00+10:30",
    ]


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"]


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    expression=st.sampled_from(["0 */7 * * * *", "30 15 * * * *", "*/30 59 * * * *"]),
    moment=st.integers(instant("2026-01-01"), instant("2027-12-31")),
)
def test_stretches_have_no_hole_in_any_zone(zone: str, expression: str, moment: int) -> None:
    later = cron(expression, zone).after(moment)
    assert later is not None
    assert 0 < later - moment <= 3_600 * SECOND
    assert cron(expression, zone).after(later - SECOND) == later, "whoever asks a second before gets the same"


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
    minute=st.sampled_from([0, 15, 30, 59]),
    moment=st.integers(instant("2026-01-01"), instant("2027-12-31")),
)
def test_a_time_of_day_comes_once_on_every_day_in_any_zone(zone: str, hour: int, minute: int, moment: int) -> None:
    days, each = set(), cron(f"0 {minute} {hour} * * *", zone)
    last = moment
    for _ in range(5):
        found = each.after(last)
        assert found is not None
        assert each.after(found - SECOND) == found
        local = datetime.fromtimestamp(found // SECOND, ZoneInfo(zone))
        assert local.date() not in days
        days.add(local.date())
        last = found
    assert (max(days) - min(days)).days == 4
