"""Cron expressions with seconds, in Spring's dialect, and the moments that they name in a time zone.

The search through months and weekdays is croniter's, on local times; what a clock that is put forward or back makes of
them is decided here. Hours that an expression names come once on every day that has them. Where it says ``*`` for hours
or minutes it means stretches of time, and these go on through such a night.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from msgspec import Struct

from engine.clock import SECOND, Instant
from engine.errors import BadExpression

#: Characters of an expression.
_LONGEST = 250

#: Years without a match after which an expression counts as one that never comes; leap days come every eight at worst.
_MOST_YEARS = 50

#: No clock is put back by more than this.
_FOLD = timedelta(hours=4)

_ONE: Final = timedelta(seconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MACROS: Final = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class _Field(Struct, frozen=True):
    """One of the six: its values, and the names that some of them have."""

    title: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """Return the value of a number or name; raise ``BadExpression`` when it is none of this field's."""
        if text in self.names:
            return self.names.index(text) + (1 if self.low else 0)
        if not (text.isascii() and text.isdigit()) or not self.low <= int(text) <= self.high:
            named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
            raise BadExpression(f"{text[:40]!r} is no {self.title}: use {self.low} to {self.high}{named}")
        return int(text)


_DAY: Final = _Field("day of the month", 1, 31)
_WEEKDAY: Final = _Field("day of the week", 0, 7, _DAYS)
_FIELDS: Final = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _DAY,
    _Field("month", 1, 12, _MONTHS),
    _WEEKDAY,
)

_LAST_BUT: Final = re.compile(r"L-(\d{1,2})")
_NEAREST: Final = re.compile(r"(\d{1,2})W")
_LAST_WEEKDAY: Final = re.compile(r"(\w+)L")
_NTH: Final = re.compile(r"(\w+)#([1-5])")


class _Part(Struct, frozen=True):
    """What croniter searches for, and which of the days that it finds count."""

    text: str
    counts: Callable[[datetime], bool] = lambda _: True

    def after(self, local: datetime) -> datetime | None:
        """Return the next local time that fits, None when none comes in half a century."""
        from croniter import CroniterBadDateError, croniter  # costs as much as a command of the terminal may take

        search = croniter(self.text, local, day_or=False, second_at_beginning=True)
        try:
            while True:
                found: datetime = search.get_next(datetime)
                if self.counts(found):
                    return found
                if found.year > local.year + _MOST_YEARS:
                    return None
                search.set_current(found.replace(hour=23, minute=59, second=59), force=True)
        except (CroniterBadDateError, OverflowError):
            return None


class Cron:
    """An expression in a zone; see ``cron``."""

    def __init__(self, text: str, zone: str) -> None:
        self.text = text
        self.zone = zone
        self._zone = zone_of(zone)
        fields = _split(text)
        self._parts = tuple(_parts(fields))
        self._by_stretches = fields[1].startswith("*") or fields[2].startswith("*")

    def after(self, moment: int) -> Instant | None:
        """Return the first moment later than ``moment``, None when there is none in half a century."""
        try:
            found = self._after(_EPOCH + timedelta(seconds=moment // SECOND))
        except OverflowError:
            return None
        return None if found is None else Instant((found - _EPOCH) // _ONE * SECOND)

    def _after(self, moment: datetime) -> datetime | None:
        fold = self._shift(moment - _FOLD, moment + _FOLD)
        if fold is None or self._offset(fold) > self._offset(fold - _ONE):
            return self._moment(self._search(moment + self._offset(moment)))
        before, since = self._offset(fold - _ONE), self._offset(fold)
        if moment < fold:
            found = self._search(moment + before)
            if found is not None and found - before < fold:
                return found - before
            local = fold - _ONE + since
        else:
            local = moment + since
        if not self._by_stretches:
            # What comes twice in this night has been seen to.
            local = max(local, fold - _ONE + before)
        return self._moment(self._search(local), fold=1)

    def _search(self, local: datetime) -> datetime | None:
        """Return the next local time that the expression names, its zone said to be UTC."""
        found = [each for part in self._parts if (each := part.after(local)) is not None]
        return min(found, default=None)

    def _moment(self, local: datetime | None, fold: int = 0) -> datetime | None:
        """Return the moment of a local time; one that the clock leaves out is the first moment behind the gap.

        Where stretches of time are meant, nothing has been missed: the next one counts.
        """
        if local is None:
            return None
        found = local.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)
        if found + self._offset(found) == local:
            return found
        edges = sorted(local.replace(tzinfo=self._zone, fold=each).astimezone(UTC) for each in (0, 1))
        gap = self._shift(edges[0] - _ONE, edges[1])
        if gap is None or not self._by_stretches:
            return gap
        return self._moment(self._search(gap - _ONE + self._offset(gap)))

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self._zone).utcoffset() or timedelta()

    def _shift(self, early: datetime, late: datetime) -> datetime | None:
        """Return the first moment at which the clock shows another offset than at ``early``, None when it does not."""
        offset = self._offset(early)
        if self._offset(late) == offset:
            return None
        while late - early > _ONE:
            middle = early + (late - early) // _ONE // 2 * _ONE
            early, late = (middle, late) if self._offset(middle) == offset else (early, middle)
        return late


@lru_cache(maxsize=1_000)
def cron(text: str, zone: str) -> Cron:
    """Return the expression in its zone; raise ``BadExpression`` with a sentence when one cannot be understood."""
    return Cron(text, zone)


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of this name; raise ``BadExpression`` when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = get_close_matches(name[:100], _zone_names(), n=1)
        hint = f": did you mean {near[0]!r}?" if near else ": write it like Europe/Berlin or UTC"
        raise BadExpression(f"there is no time zone {name[:100]!r}{hint}") from None


@cache
def _zone_names() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))


def _split(text: str) -> list[str]:
    """Return the six fields in capitals."""
    if len(text) > _LONGEST:
        raise BadExpression(f"a cron expression may have {_LONGEST} characters, this one has {len(text):,}")
    macro = _MACROS.get(text.strip().lower())
    if macro is None and text.strip().startswith("@"):
        raise BadExpression(f"there is no {text.strip()!r}: use one of {', '.join(_MACROS)}, or six fields")
    fields = (macro or text).upper().split()
    if len(fields) == 5:
        raise BadExpression(
            f"{text!r} has 5 fields, which begin with the minute: put the second in front, as in '0 {text.strip()}'"
        )
    if len(fields) != len(_FIELDS):
        raise BadExpression(
            f"{text!r} has {len(fields)} fields: write six, second minute hour day-of-month month day-of-week, "
            "as in '0 30 9 * * MON-FRI'"
        )
    return [
        "*" if each == "?" and field in (_DAY, _WEEKDAY) else each for field, each in zip(_FIELDS, fields, strict=True)
    ]


def _parts(fields: list[str]) -> Iterator[_Part]:
    """Yield what to search for; days that are told in different ways are searched for separately."""
    second, minute, hour, _, month, _ = (
        ",".join(_plain(field, each) for each in text.split(",")) if field not in (_DAY, _WEEKDAY) else ""
        for field, text in zip(_FIELDS, fields, strict=True)
    )
    for day, counts in _month_days(fields[3]):
        for weekday in _weekdays(fields[5]):
            yield _Part(" ".join((second, minute, hour, day, month, weekday)), counts)


def _plain(field: _Field, token: str) -> str:
    """Return one value, range or step as croniter reads it; raise ``BadExpression`` when it is none."""
    values, slash, step = token.partition("/")
    if slash and (not step.isascii() or not step.isdigit() or not int(step)):
        raise BadExpression(f"{token[:40]!r} is no {field.title}: behind / stands a number from 1")
    if values == "*":
        return token
    first, dash, last = values.partition("-")
    low = field.number(first)
    if not dash:
        return f"{low}-{_top(field)}/{step}" if slash else str(low)
    high = field.number(last)
    if field is _WEEKDAY:
        # Sunday stands at either end of a week.
        low, high = (0 if high < low == field.high else low), (field.high if high == 0 < low < field.high else high)
    if low > high:
        raise BadExpression(f"{token[:40]!r} runs backwards: write two ranges with a comma between them")
    return f"{low}-{high}{slash}{step}" if low < high else str(low)


def _top(field: _Field) -> int:
    """Return where a step without an end stops: Sunday is 0 and 7, and counts once."""
    return 6 if field is _WEEKDAY else field.high


def _month_days(text: str) -> Iterator[tuple[str, Callable[[datetime], bool]]]:
    plain: list[str] = []
    for token in text.split(","):
        if token == "L":  # noqa: S105  the last day of the month
            plain.append(token)
        elif token == "LW":  # noqa: S105  its last working day
            yield "*", _is_last_working_day
        elif found := _LAST_BUT.fullmatch(token):
            yield "*", _is_last_but(int(found[1]))
        elif found := _NEAREST.fullmatch(token):
            yield f"{_DAY.number(found[1])}W", lambda _: True
        else:
            plain.append(_plain(_DAY, token))
    if plain:
        yield ",".join(plain), lambda _: True


def _weekdays(text: str) -> Iterator[str]:
    plain: list[str] = []
    for token in text.split(","):
        if found := _NTH.fullmatch(token):
            yield f"{_WEEKDAY.number(found[1]) % 7}#{found[2]}"
        elif found := _LAST_WEEKDAY.fullmatch(token):
            yield f"L{_WEEKDAY.number(found[1]) % 7}"
        else:
            plain.append(_plain(_WEEKDAY, token))
    if plain:
        yield ",".join(plain)


def _is_last_but(days: int) -> Callable[[datetime], bool]:
    return lambda day: day.day == monthrange(day.year, day.month)[1] - days


def _is_last_working_day(day: datetime) -> bool:
    last = monthrange(day.year, day.month)[1]
    weekend = max(0, day.replace(day=last).weekday() - 4)
    return day.day == last - weekend
