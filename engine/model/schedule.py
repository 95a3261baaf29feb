"""Schedules: what people write, the dates that follow from it, and what becomes of a date while a run is open.

A date is a moment at which a schedule starts a run. Which dates have come, and which comes next, follows from the
schedule and the present moment alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice, takewhile
from typing import Final

from msgspec import Struct
from pydantic import Field

from engine.clock import LATEST, MILLISECOND, Instant, after, milliseconds
from engine.model.cron import cron
from engine.model.definition import Text, Written
from engine.model.execution import NEVER
from engine.model.payload import Json, JsonObject

#: Dates that lie back no further than this are late and not missed.
LATE_SECONDS: Final = 60.0

#: Dates that are taken up at a time; the others follow at once.
MOST_AT_ONCE: Final = 100

#: The last moment as epoch milliseconds.
_LATEST_MS: Final = milliseconds(LATEST)


class OverlapPolicy(StrEnum):
    """What becomes of a date while the run of the date before is open."""

    ALLOW = "ALLOW"
    SKIP = "SKIP"
    BUFFER_ONE = "BUFFER_ONE"
    CANCEL_PREVIOUS = "CANCEL_PREVIOUS"


class CronSchedule(Written):
    """One of several expressions of a schedule."""

    cron_expression: Text = ""
    zone_id: Text = "UTC"


class Schedule(Written):
    """Conductor's WorkflowSchedule, and what to do when runs overlap; times are epoch milliseconds."""

    name: Text = ""
    description: Text | None = None
    cron_expression: Text | None = None
    zone_id: Text = "UTC"
    cron_schedules: tuple[CronSchedule, ...] = ()
    start_workflow_request: dict[str, Json] = Field(default_factory=dict)
    schedule_start_time: int | None = Field(None, ge=0, le=_LATEST_MS)
    schedule_end_time: int | None = Field(None, ge=0, le=_LATEST_MS)
    run_catchup_schedule_instances: bool = False
    overlap_policy: OverlapPolicy = OverlapPolicy.ALLOW
    paused: bool = False
    paused_reason: Text | None = None
    tags: tuple[dict[str, Json], ...] = ()
    create_time: int = 0
    updated_time: int = 0
    created_by: Text | None = None
    updated_by: Text | None = None

    def crons(self) -> Iterator[tuple[str, CronSchedule]]:
        """Yield each expression with its JSON path, the single one first."""
        if self.cron_expression is not None:
            yield "", CronSchedule(cron_expression=self.cron_expression, zone_id=self.zone_id)
        for number, each in enumerate(self.cron_schedules):
            yield f"cronSchedules[{number}].", each

    @property
    def times(self) -> Json:
        """What the dates follow from: two schedules that agree in it have the same dates."""
        expressions = tuple((each.cron_expression, each.zone_id) for _, each in self.crons())
        return expressions, self.schedule_start_time, self.schedule_end_time


class Date(Struct, frozen=True):
    """A moment at which a schedule starts a run, and the expression that names it."""

    at: Instant
    cron: str
    zone: str


class Progress(Struct, frozen=True, kw_only=True):
    """How far a schedule has come."""

    #: The first date that has not been taken up; NEVER when there is none.
    next_at: Instant = NEVER
    #: When to look at it; NEVER while it is paused or over.
    wake_at: Instant = NEVER
    #: A date that waits for the run before it to end.
    buffered_at: Instant = NEVER
    #: The run of the last date that was taken up.
    last_run: str = ""


class ExecutionState(StrEnum):
    """What is known of a date that was taken up, in Conductor's words."""

    #: Its run was asked for.
    POLLED = "POLLED"
    #: Its run exists.
    EXECUTED = "EXECUTED"
    #: There will be no run, for a reason.
    FAILED = "FAILED"


class ScheduleExecution(Struct, frozen=True, kw_only=True):
    """A date that was taken up; its id is that of the run."""

    id: str
    schedule: str
    at: Instant
    cron: str
    zone: str
    state: ExecutionState
    reason: str | None = None
    workflow_name: str
    request: JsonObject = {}
    #: The run that makes room for this one.
    cancels: str = ""
    #: When the date was taken up, and when its run was last asked for.
    executed_at: Instant
    sent_at: Instant = NEVER


def next_date(schedule: Schedule, moment: int) -> Date | None:
    """Return the first date later than ``moment``, None when there is none; raises ``BadExpression``."""
    start, end = schedule.schedule_start_time, schedule.schedule_end_time
    if start is not None:
        moment = max(moment, start * MILLISECOND - 1)
    found: Date | None = None
    for _, each in schedule.crons():
        at = cron(each.cron_expression, each.zone_id).after(moment)
        if at is not None and (found is None or at < found.at):
            found = Date(at, each.cron_expression, each.zone_id)
    if found is None or (end is not None and found.at > end * MILLISECOND):
        return None
    return found


def dates(schedule: Schedule, moment: int) -> Iterator[Date]:
    """Yield the dates later than ``moment``, in order; raises ``BadExpression``."""
    while (found := next_date(schedule, moment)) is not None:
        yield found
        moment = found.at


def come(schedule: Schedule, next_at: Instant, now: Instant) -> tuple[tuple[Date, ...], Instant]:
    """Return the dates that are to be taken up now, and the first one after them (NEVER: there is none).

    ``next_at`` is the first date that has not been taken up. Of dates that were missed while no scheduler ran, all are
    taken up where the schedule wants to catch up, else only the first; and none when others have just come.
    """
    first = next_date(schedule, next_at - 1) if next_at != NEVER else None
    if first is None or first.at > now:
        return (), first.at if first is not None else NEVER
    begin = max(first.at, after(now, -LATE_SECONDS)) if not schedule.run_catchup_schedule_instances else first.at
    have_come = takewhile(lambda each: each.at <= now, dates(schedule, begin - 1))
    taken = tuple(islice(have_come, MOST_AT_ONCE)) or (first,)
    following = next_date(schedule, taken[-1].at if len(taken) == MOST_AT_ONCE else now)
    return taken, following.at if following is not None else NEVER
