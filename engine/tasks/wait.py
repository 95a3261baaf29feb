"""WAIT: holds the flow for a time, until a date, or until somebody signals (Conductor 3.11)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from engine.clock import SECOND, Instant, after
from engine.errors import Fault
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.tasks.step import At, Fail, Hold, Step, TaskType

_DURATION = re.compile(
    r"\s*(?:(\d+)\s*(?:d|days?))?\s*(?:(\d+)\s*(?:h|hrs?|hours?))?"
    r"\s*(?:(\d+)\s*(?:m|mins?|minutes?))?\s*(?:(\d+)\s*(?:s|secs?|seconds?))?\s*",
    re.IGNORECASE,
)
_UNTIL = re.compile(r"(\d{4}-\d{2}-\d{2})(?: (\d{2}:\d{2})(?: (\S+))?)?")
_OFFSET = re.compile(r"(?:GMT|UTC)([+-])(\d{1,2})(?::?(\d{2}))?")

#: Hours from UTC of abbreviations that the time zone database does not know by themselves.
_ABBREVIATIONS = {
    "Z": 0.0, "PST": -8.0, "PDT": -7.0, "MDT": -6.0, "CST": -6.0, "CDT": -5.0, "EDT": -4.0,
    "BST": 1.0, "CEST": 2.0, "EEST": 3.0, "IST": 5.5, "JST": 9.0,
}  # fmt: skip

#: Characters of a duration or a date.
_LONGEST_TEXT = 200

#: The longest wait, seconds: a hundred years; beyond it the date no longer fits where dates are kept.
_LONGEST = 100 * 366 * 86_400


#: What Conductor shows as the delay of a WAIT that has no end, seconds.
_OPEN_ENDED = 2_147_483_647


class Wait(TaskType):
    """Needs ``duration``, ``until``, or neither; dates without a zone are UTC."""

    name = "WAIT"
    takes_signal = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Refuse both fields together, and literal values that cannot be read."""
        duration, until = config.input_parameters.get("duration"), config.input_parameters.get("until")
        if duration is not None and until is not None:
            yield Fault("inputParameters", "give either duration or until, not both")
        for field, value, parse in (("duration", duration, duration_seconds), ("until", until, until_instant)):
            if value is None or is_expression(value):
                continue
            try:
                parse(value)
            except ValueError as error:
                yield Fault(f"inputParameters.{field}", str(error))

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Name inputs that look like a duration or a date and are none, such as ``waitUntil``."""
        for name in config.input_parameters:
            for field in ("duration", "until"):
                if (
                    name != field
                    and field in name.lower()
                    and not {"duration", "until"} & config.input_parameters.keys()
                ):
                    yield Fault(f"inputParameters.{name}", f"a WAIT does not read it; did you mean {field!r}?")

    def start(self, at: At) -> Step:
        """Hold until the date that the inputs describe, or open-ended."""
        duration, until = at.task.input.get("duration"), at.task.input.get("until")
        if duration is not None and until is not None:
            return Fail(reason="Both 'duration' and 'until' are given: a WAIT takes one of them", terminal=True)
        try:
            if duration is not None:
                return Hold(until=after(at.now, duration_seconds(duration)))
            if until is not None:
                return Hold(until=until_instant(until))
        except ValueError as error:
            return Fail(reason=str(error), terminal=True)
        return Hold(shown_seconds=_OPEN_ENDED)


def duration_seconds(text: object) -> int:
    """Return the seconds of a duration such as ``1 day 2h 30 minutes 5s``; raises ValueError when it is none."""
    # Blanks may stand nearly everywhere: of a long row of them, the pattern would try every way to share it out.
    plain = " ".join(text.split()) if isinstance(text, str) and len(text) <= _LONGEST_TEXT else ""
    match = _DURATION.fullmatch(plain)
    if match is None or not any(match.groups()):
        raise ValueError(
            f"Not valid duration: {text!r:.100}. Write days, hours, minutes, seconds in this order: '1d 2h 30m'"
        )
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    if total > _LONGEST:
        raise ValueError(f"Not valid duration: {text!r:.100} is longer than a hundred years")
    return total


def until_instant(text: object) -> Instant:
    """Return the moment of ``2030-01-31``, ``2030-01-31 17:00`` or ``2030-01-31 17:00 GMT+05:30``.

    Raises ValueError when it cannot be read.
    """
    match = _UNTIL.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= _LONGEST_TEXT else None
    fault = f"Not valid date: {text!r:.100}. Write '2030-01-31', '2030-01-31 17:00' or '2030-01-31 17:00 GMT+05:30'"
    if match is None:
        raise ValueError(fault)
    day, hour, zone = match.groups()
    try:
        moment = datetime.strptime(f"{day} {hour or '00:00'}", "%Y-%m-%d %H:%M").replace(tzinfo=_zone(zone))
        return Instant((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    except (ValueError, KeyError, OSError, OverflowError):
        raise ValueError(fault) from None


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    if name in _ABBREVIATIONS:
        return timezone(timedelta(hours=_ABBREVIATIONS[name]))
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign, hours, minutes = offset.groups()
        seconds = int(hours) * 3_600 + int(minutes or 0) * 60
        return timezone(timedelta(microseconds=(seconds if sign == "+" else -seconds) * SECOND))
    return ZoneInfo(name)


TYPE = Wait()
