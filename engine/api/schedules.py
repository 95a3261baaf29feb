"""Keeps schedules: whatever is wrong with one is told when it is saved, and a change counts from the next look on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec.structs import replace

from engine.clock import MILLISECOND, Instant, milliseconds
from engine.decider.validate import check_workflow
from engine.errors import BadDefinition, BadExpression, BadMessage, Fault, NotFound
from engine.model.cron import cron
from engine.model.definition import read
from engine.model.execution import NEVER
from engine.model.payload import Json
from engine.model.schedule import Progress, Schedule, next_date
from engine.store.port import Store, Transaction
from engine.store.schedule_port import ScheduleRow
from engine.wire.schedule_json import read_schedule_start, schedule_json

#: Characters of a name.
_LONGEST_NAME = 250

#: Expressions of one schedule; each is looked at for every date.
_MOST_CRONS = 50


#: Finds the version of a registered workflow, the latest where none is asked for; None where there is none.
FindVersion: TypeAlias = Callable[[str, int | None], int | None]


def check_schedule(document: Json, version_of: FindVersion, now: Instant) -> Schedule:
    """Read a schedule; raises ``BadDefinition`` with every mistake in it."""
    name = document.get("name") if isinstance(document, dict) else None
    subject = f"Schedule {name[:_LONGEST_NAME]!r}" if isinstance(name, str) and name.strip() else "The schedule"
    schedule, shape = read(Schedule, document, subject)
    faults = [*shape, *(_faults(schedule, version_of) if not shape else ())]
    if not faults and next_date(schedule, now) is None:
        faults = [_never(schedule)]
    if faults:
        raise BadDefinition(subject, faults)
    return schedule


def save(store: Store, document: Json, now: Instant) -> dict[str, Json]:
    """Store a schedule in place of one of the same name; raise ``BadDefinition`` with every mistake in it."""
    with store.transaction() as tx:

        def version_of(name: str, version: int | None) -> int | None:
            definition = tx.workflow_def(name, version)
            return None if definition is None else definition.version

        schedule = check_schedule(document, version_of, now)
        before = tx.schedule(schedule.name)
        created = milliseconds(now) if before is None else before.document.get("createTime") or 0
        schedule = schedule.model_copy(update={"create_time": created, "updated_time": milliseconds(now)})
        if not schedule.paused:
            schedule = schedule.model_copy(update={"paused_reason": None})
        progress = _progress(schedule, before, now)
        tx.put_schedule(ScheduleRow(schedule.name, schedule.to_json(), progress))
    return schedule_json(schedule, progress)


def pause(store: Store, name: str, now: Instant, *, paused: bool, reason: str | None = None) -> None:
    """Pause or resume a schedule; raise ``NotFound``. Dates that pass while it is paused start nothing, ever."""
    with store.transaction() as tx:
        row = found(tx, name)
        schedule = Schedule.model_validate(row.document)
        if schedule.paused == paused:
            return
        update = {"paused": paused, "paused_reason": reason, "updated_time": milliseconds(now)}
        schedule = schedule.model_copy(update=update)
        tx.put_schedule(ScheduleRow(name, schedule.to_json(), _progress(schedule, row, now)))


def found(tx: Transaction, name: str) -> ScheduleRow:
    """Return a schedule as stored; raise ``NotFound`` when there is none."""
    row = tx.schedule(name)
    if row is None:
        raise NotFound(f"There is no schedule {name!r}.")
    return row


def shown(row: ScheduleRow) -> dict[str, Json]:
    """Return a schedule as Conductor's clients see it."""
    return schedule_json(Schedule.model_validate(row.document), row.progress)


def _progress(schedule: Schedule, before: ScheduleRow | None, now: Instant) -> Progress:
    """Return how far a schedule has come that was just written; where its dates are the same, nothing changes."""
    progress = before.progress if before is not None else Progress()
    known = Schedule.model_validate(before.document) if before is not None else None
    if known is None or known.times != schedule.times or known.paused or schedule.paused:
        date = next_date(schedule, now)
        progress = replace(progress, next_at=date.at if date is not None else NEVER, buffered_at=NEVER)
        progress = replace(progress, wake_at=NEVER if schedule.paused else progress.next_at)
    return progress


def _never(schedule: Schedule) -> Fault:
    end = schedule.schedule_end_time
    if end is not None and next_date(schedule.model_copy(update={"schedule_end_time": None}), 0) is not None:
        return Fault("scheduleEndTime", "no date of this schedule comes before it: choose a later one, or none")
    path, _ = next(schedule.crons())
    return Fault(f"{path}cronExpression", "no day fits it: it would never start anything")


def _faults(schedule: Schedule, version_of: FindVersion) -> Iterator[Fault]:
    yield from _name_faults(schedule.name)
    crons = list(schedule.crons())
    if not crons:
        yield Fault("cronExpression", "a schedule needs a cronExpression, or several in cronSchedules")
    if len(crons) > _MOST_CRONS:
        yield Fault("cronSchedules", f"has {len(crons)} expressions, a schedule may have {_MOST_CRONS}")
    for path, each in crons[:_MOST_CRONS]:
        yield from _cron_faults(path, each.cron_expression, each.zone_id)
    start, end = schedule.schedule_start_time, schedule.schedule_end_time
    if start is not None and end is not None and end < start:
        yield Fault("scheduleEndTime", "lies before scheduleStartTime")
    yield from _request_faults(schedule, version_of)


def _name_faults(name: str) -> Iterator[Fault]:
    if not name.strip():
        yield Fault("name", "a schedule needs a name")
    elif len(name) > _LONGEST_NAME:
        yield Fault("name", f"has {len(name):,} characters, a name may have {_LONGEST_NAME}")
    elif not name.isprintable() or "/" in name:
        yield Fault("name", "may have no line breaks and other control characters, and no /")


def _cron_faults(path: str, text: str, zone: str) -> Iterator[Fault]:
    for field, expression, place in (("zoneId", "0 0 0 * * *", zone), ("cronExpression", text, "UTC")):
        try:
            cron(expression, place)
        except BadExpression as error:
            yield Fault(f"{path}{field}", str(error))


def _request_faults(schedule: Schedule, version_of: FindVersion) -> Iterator[Fault]:
    request, path = schedule.start_workflow_request, "startWorkflowRequest"
    if not request:
        yield Fault(path, 'a schedule needs a startWorkflowRequest: {"name": "…", "input": {…}}')
        return
    if request.get("workflowId"):
        yield Fault(f"{path}.workflowId", "every date has a run of its own: leave it out")
    try:
        start = read_schedule_start({key: value for key, value in request.items() if key != "workflowId"}, "any")
    except BadMessage as error:
        for part in str(error).removeprefix(f"{path}: ").split("; "):
            field, _, what = part.partition(" ")
            yield Fault(f"{path}.{field}", what)
        return
    if start.workflow_def is not None:
        try:
            check_workflow(start.workflow_def)
        except BadDefinition as error:
            for fault in error.faults:
                yield Fault(f"{path}.workflowDef.{fault.path}", fault.removeprefix(f"{fault.path}: "))
    elif version_of(start.name, start.version or None) is None:
        known = version_of(start.name, None)
        if known is None:
            yield Fault(f"{path}.name", f"no workflow {start.name!r} is registered: register it first")
        else:
            what = f"workflow {start.name!r} has no version {start.version}: its latest is {known}"
            yield Fault(f"{path}.version", what)


def preview(text: str, zone: str, start: int | None, end: int | None, count: int, now: Instant) -> list[int]:
    """Return the next dates of an expression in epoch milliseconds; raise ``BadExpression``."""
    moment = now if start is None else max(now, start * MILLISECOND - 1)
    expression = cron(text, zone)
    dates: list[int] = []
    while len(dates) < count:
        date = expression.after(moment)
        if date is None or (end is not None and date > end * MILLISECOND):
            break
        dates.append(milliseconds(date))
        moment = date
    return dates
