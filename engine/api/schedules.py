"""Keeps schedules: whatever is wrong with one is told when it is saved, and a change counts from the next look on."""

from __future__ import annotations

from msgspec.structs import replace

from engine.clock import MILLISECOND, Instant, milliseconds
from engine.decider.schedule_check import check_schedule
from engine.errors import NotFound
from engine.model.cron import cron
from engine.model.execution import NEVER
from engine.model.payload import Json
from engine.model.schedule import Progress, Schedule, next_date
from engine.store.port import Store, Transaction
from engine.store.schedule_port import ScheduleRow
from engine.wire.schedule_json import schedule_json


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
