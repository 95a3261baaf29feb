"""Everything that is wrong with a schedule, at once, each mistake with its JSON path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from engine.clock import Instant
from engine.decider.validate import check_workflow
from engine.errors import BadDefinition, BadExpression, BadMessage, Fault
from engine.model.cron import cron
from engine.model.definition import read
from engine.model.payload import Json
from engine.model.schedule import Schedule, next_date
from engine.wire.schedule_json import read_schedule_start

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
