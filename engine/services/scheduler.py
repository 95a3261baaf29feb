"""The scheduler: starts a run for each date of each schedule, once, however often a scheduler dies meanwhile.

A date is taken up in one transaction: it is written down as an execution whose run nobody has seen yet, and the
schedule moves on to its next date. Only then is the start published. Until the run is in the database, its start is
published again now and then; the run's id follows from schedule and date, so all of these starts make one run. Several
schedulers share the work by locks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace

from engine.broker.port import Broker, Unsendable
from engine.clock import Clock, Instant, after
from engine.config import Settings
from engine.decider.validate import check_workflow
from engine.errors import NotFound, Permanent
from engine.log import get_logger
from engine.model.execution import NEVER
from engine.model.request import Request
from engine.model.schedule import (
    Date,
    ExecutionState,
    OverlapPolicy,
    Progress,
    Schedule,
    ScheduleExecution,
    come,
    next_date,
)
from engine.model.status import WorkflowStatus
from engine.search.condition import Matches
from engine.search.subject import DATE_ID
from engine.store.port import Store, Transaction
from engine.store.schedule_port import ExecutionQuery, ScheduleRow
from engine.wire.message import Message
from engine.wire.request_message import encode_request
from engine.wire.schedule_json import request_of, run_of, start_of
from engine.wire.start_message import encode_start

log = get_logger(__name__)

#: Schedules, and executions, that one transaction looks at.
_MOST_AT_ONCE = 100
_MOST_UNSEEN = 1_000

#: Transactions that one look makes for schedules that are due; others than schedules want to be looked at, too.
_MOST_PASSES = 10

#: Pause between two looks at a run that a buffered date waits for, and at executions that were just taken up.
_LOOK_SECONDS = 1.0

#: Pause between two looks at executions of other schedulers, which may have died.
_IDLE_SECONDS = 5.0

#: After so long without a run its start is published again; after twice as long again, and so on.
_PATIENCE_SECONDS = 10.0

#: After so long a start that made no run counts as refused.
_GIVEN_UP_SECONDS = 3_600.0

#: After so long a schedule that cannot be read is looked at again: a newer version may have written it.
_UNREADABLE_SECONDS = 60.0


class Scheduler:
    """One look at a time; the timekeeper's process calls it."""

    def __init__(self, store: Store, broker: Broker, clock: Clock, settings: Settings, partitions: int) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._kept = settings.schedule_executions_kept
        self._partitions = partitions
        self._next_follow_up = Instant(0)
        self._upcoming: Instant | None = None
        #: What was written down in the database and has not been confirmed by the broker yet.
        self._unsent: list[Message] = []

    def look(self) -> Instant | None:
        """Take up the dates that have come; return the next one of any schedule, None when nothing is planned."""
        self._send()
        now = self._clock.now()
        for _ in range(_MOST_PASSES):
            more = self._take_up(now)
            self._send()
            if not more:
                break
        if now >= self._next_follow_up:
            waiting = self._follow_up(now)
            self._send()
            self._next_follow_up = after(now, _LOOK_SECONDS if waiting else _IDLE_SECONDS)
        return self._upcoming

    def _send(self) -> None:
        if not self._unsent:
            return
        try:
            self._broker.publish(self._unsent)
        except Unsendable:
            # Its execution ends with a reason when its time is up.
            log.exception("schedule.unsendable")
        self._unsent = []

    # dates that have come

    def _take_up(self, now: Instant) -> bool:
        """Take up dates that have come; return whether there may be others."""
        with self._store.transaction() as transaction:
            self._upcoming = transaction.next_schedule()
            if self._upcoming is None or self._upcoming > now:
                return False
            due = transaction.due_schedules(now, _MOST_AT_ONCE)
            executions = [each for row in due for each in self._safely(transaction, row, now)]
            self._upcoming = transaction.next_schedule()
            for name in {each.schedule for each in executions}:
                transaction.trim_executions(name, self._kept)
        self._unsent = [message for each in executions for message in self._messages(each)]
        if executions:
            self._next_follow_up = min(self._next_follow_up, after(now, _LOOK_SECONDS))
        return len(due) == _MOST_AT_ONCE or (self._upcoming is not None and self._upcoming <= now)

    def _safely(self, transaction: Transaction, row: ScheduleRow, now: Instant) -> Sequence[ScheduleExecution]:
        """Take up what has come of one schedule; one that cannot be read stops no other."""
        try:
            schedule = Schedule.model_validate(row.document)
            taken, next_at = come(schedule, row.progress.next_at, now)
        except Exception:
            log.exception("schedule.unreadable", schedule=row.name)
            later = after(now, _UNREADABLE_SECONDS)
            transaction.put_progress(row.name, replace(row.progress, wake_at=later))
            return ()
        turn = _Turn(transaction, schedule, row.progress, now)
        turn.take_buffered()
        for date in taken:
            turn.take(date)
        transaction.put_executions(turn.executions)
        transaction.put_progress(row.name, turn.ended(next_at))
        return turn.executions

    def _messages(self, execution: ScheduleExecution) -> Iterator[Message]:
        """Yield what asks for the run of an execution, and for the end of the one before."""
        if execution.state is not ExecutionState.POLLED:
            return
        yield encode_start(start_of(execution))
        if execution.cancels:
            cancel = Request(
                event_id=f"{execution.id}/cancels",
                workflow_id=execution.cancels,
                verb="terminate",
                arguments={"reason": f"Schedule {execution.schedule} has started {execution.id} (CANCEL_PREVIOUS)"},
                by=f"schedule {execution.schedule}",
            )
            yield encode_request(cancel, self._partitions)

    # what became of them

    def _follow_up(self, now: Instant) -> bool:
        """See which runs are there, ask again for those that are not; return whether any is still waited for."""
        with self._store.transaction() as transaction:
            unseen = transaction.unseen_executions(_MOST_UNSEEN)
            statuses = transaction.run_statuses({key for each in unseen for key in (each.id, each.cancels) if key})
            awaited = {each.id for each in unseen}
            followed = [_followed(transaction, each, statuses, awaited, now) for each in unseen]
            changed = [new for new, old in zip(followed, unseen, strict=True) if new is not old]
            transaction.put_executions(changed)
        self._unsent = [message for each in changed for message in self._messages(each)]
        return any(each.state is ExecutionState.POLLED for each in followed)


class _Turn:
    """One schedule's dates that are taken up in one transaction."""

    def __init__(self, transaction: Transaction, schedule: Schedule, progress: Progress, now: Instant) -> None:
        self._transaction = transaction
        self._schedule = schedule
        self._progress = progress
        self._now = now
        self.executions: list[ScheduleExecution] = []

    def take_buffered(self) -> None:
        """Take up the date that waits for the run before it, if that has ended."""
        waiting = self._progress.buffered_at
        if waiting == NEVER or self._open_run():
            return
        date = next_date(self._schedule, waiting - 1)
        self._progress = replace(self._progress, buffered_at=NEVER)
        if date is not None and date.at == waiting:
            self._start(date)

    def take(self, date: Date) -> None:
        """Start the run of a date, or do what the schedule wants while the run before is open."""
        policy = self._schedule.overlap_policy
        before = "" if policy is OverlapPolicy.ALLOW else self._open_run()
        if not before:
            self._start(date)
        elif policy is OverlapPolicy.CANCEL_PREVIOUS:
            self._start(date, cancels=before)
        elif policy is OverlapPolicy.BUFFER_ONE and self._progress.buffered_at == NEVER:
            self._progress = replace(self._progress, buffered_at=date.at)
        else:
            reason = f"The run before, {before}, was still open (overlapPolicy {policy.value})"
            log.info("schedule.skipped", schedule=self._schedule.name, date=date.at, run=before)
            self._fail(date, reason)

    def ended(self, next_at: Instant) -> Progress:
        """Return how far the schedule has come, and when to look at it again."""
        dates = [next_at] if next_at != NEVER else []
        if self._progress.buffered_at != NEVER:
            dates.append(after(self._now, _LOOK_SECONDS))
        return replace(self._progress, next_at=next_at, wake_at=min(dates, default=NEVER))

    def _open_run(self) -> str:
        """Return the id of the run of the last date that was taken up if it is open, or about to begin."""
        last = self._progress.last_run
        if not last:
            return ""
        here = next((each for each in self.executions if each.id == last), None)
        status = self._transaction.run_statuses([last]).get(last)
        if here is None and status is None:
            _, found = self._transaction.executions(ExecutionQuery(condition=Matches(DATE_ID, (last,))))
            here = next(iter(found), None)
        awaited = here is not None and here.state is ExecutionState.POLLED
        return last if (status.is_open if status is not None else awaited) else ""

    def _start(self, date: Date, cancels: str = "") -> None:
        execution = replace(self._execution(date), cancels=cancels)
        reason = refusal(self._transaction, execution)
        if reason is not None:
            log.warning("schedule.not_started", schedule=self._schedule.name, date=date.at, reason=reason)
            self._fail(date, reason)
            return
        self.executions.append(execution)
        self._progress = replace(self._progress, last_run=execution.id)

    def _fail(self, date: Date, reason: str) -> None:
        failed = replace(self._execution(date), state=ExecutionState.FAILED, reason=reason)
        self.executions.append(failed)

    def _execution(self, date: Date) -> ScheduleExecution:
        request = request_of(self._schedule, date, self._now)
        return ScheduleExecution(
            id=run_of(self._schedule.name, date.at),
            schedule=self._schedule.name,
            at=date.at,
            cron=date.cron,
            zone=date.zone,
            state=ExecutionState.POLLED,
            workflow_name=str(request.get("name")),
            request=request,
            executed_at=self._now,
            sent_at=self._now,
        )


def refusal(transaction: Transaction, execution: ScheduleExecution) -> str | None:
    """Return why a decider would refuse the start of an execution, None when it would not."""
    try:
        start = start_of(execution)
        if start.workflow_def is not None:
            check_workflow(start.workflow_def)
        elif transaction.workflow_def(start.name, start.version or None) is None:
            raise NotFound(f"No such workflow defined. name={start.name}, version={start.version or 'null'}")
    except Permanent as error:
        return str(error)
    return None


def _followed(
    transaction: Transaction,
    execution: ScheduleExecution,
    statuses: Mapping[str, WorkflowStatus],
    awaited: Collection[str],
    now: Instant,
) -> ScheduleExecution:
    """Return an unseen execution as it stands now; asked for again when it is another one that is still unseen.

    ``awaited`` are the ids of runs that were asked for: one that is to make room may have yet to begin.
    """
    cancelled = statuses.get(execution.cancels)
    has_room = cancelled.is_terminal if cancelled is not None else execution.cancels not in awaited
    late = now >= after(execution.executed_at, _GIVEN_UP_SECONDS)
    if execution.id in statuses and (has_room or late):
        return replace(execution, state=ExecutionState.EXECUTED)
    asked, waited = now - execution.sent_at, execution.sent_at - execution.executed_at
    if asked < max(waited, after(0, _PATIENCE_SECONDS)):
        return execution
    reason = refusal(transaction, execution) if execution.id not in statuses else None
    if reason is None and late:
        reason = "Its start has made no run within an hour: no decider runs, or it is among the dead letters"
    if reason is not None:
        log.warning("schedule.not_started", schedule=execution.schedule, date=execution.at, reason=reason)
        return replace(execution, state=ExecutionState.FAILED, reason=reason)
    return replace(execution, sent_at=now)
