"""Every date on which something is due, and what is due on it (Conductor 4.5; the silence rule is our own).

A date is derived from a row whenever it is needed; none is stored but the earliest of all, ``workflow.wake_at``.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from engine.clock import SECOND, Instant, after
from engine.decider.draft import Draft
from engine.model.definition import TaskDef, TimeoutPolicy, WorkflowTimeoutPolicy
from engine.model.execution import NEVER, Task
from engine.model.status import Slot, TaskStatus


class Kind(StrEnum):
    """What a date is for."""

    VISIBLE = "visible"
    DUE = "due"
    TOTAL = "total"
    TASK = "task"
    POLL = "poll"
    RESPONSE = "response"
    SILENCE = "silence"


class Deadline(Struct, frozen=True):
    """A date in a task's life. ``look_only`` ones end nothing: they are when to look again."""

    kind: Kind
    at: Instant
    look_only: bool = False


def deadlines(draft: Draft, task: Task) -> list[Deadline]:
    """Return the dates of an open task, in the order in which they are to be heeded."""
    definition = draft.plans[task.seq].definition_of(task)
    found: list[Deadline] = []
    if definition.total_timeout_seconds:
        found.append(Deadline(Kind.TOTAL, after(task.first_scheduled_at, definition.total_timeout_seconds)))
    if definition.timeout_seconds and task.started_at:
        found.append(Deadline(Kind.TASK, after(task.started_at, definition.timeout_seconds)))
    if task.due_at:
        found.append(Deadline(Kind.DUE, task.due_at))
    if task.slot is Slot.WAITING:
        # Nobody can be late with what was not handed out; the limit brings its date, or the end of another task.
        return found
    if task.status is TaskStatus.SCHEDULED and not task.dispatched:
        found.append(Deadline(Kind.VISIBLE, task.visible_at))
    elif task.queue:
        found += _worker_deadlines(draft, task, definition)
    return found


def _worker_deadlines(draft: Draft, task: Task, definition: TaskDef) -> list[Deadline]:
    """Return the dates of a task that somebody outside carries out."""
    response = definition.response_timeout_seconds
    if task.status is TaskStatus.IN_PROGRESS:
        return [Deadline(Kind.RESPONSE, after(task.updated_at, response))] if response else []
    found: list[Deadline] = []
    if definition.poll_timeout_seconds:
        found.append(Deadline(Kind.POLL, after(task.visible_at, definition.poll_timeout_seconds)))
    patience = response or draft.surroundings.unheard_timeout_seconds
    if task.updated_at > task.visible_at:
        found.append(Deadline(Kind.SILENCE, after(task.updated_at, patience)))
    else:
        found.append(Deadline(Kind.SILENCE, after(max(task.visible_at, draft.now), patience), look_only=True))
    return found


def note_silence(draft: Draft, task: Task) -> Task:
    """Write down when a task's queue was first seen empty after the task had been published: from then on it counts.

    The moments that the store gives are the last ones and move on, so the row has to remember the first.
    """
    seen_empty = draft.surroundings.queues_seen_empty.get(task.queue, NEVER)
    waits = task.status is TaskStatus.SCHEDULED and task.dispatched and task.updated_at <= task.visible_at
    return draft.change(task, updated_at=seen_empty) if waits and seen_empty > task.visible_at else task


def note_dates(draft: Draft, task: Task) -> None:
    """Make sure that the run is woken for whatever comes first in this task's life."""
    for deadline in deadlines(draft, task):
        # An alert is given once: it is no reason to look again.
        if deadline.at > draft.now or not only_alerts(draft, task, deadline):
            draft.wake_by(deadline.at)


def note_workflow_date(draft: Draft) -> None:
    """Make sure that the run is woken when its own time is up; once it is, only if that ends it."""
    at = workflow_deadline(draft)
    if at > draft.now or draft.definition.timeout_policy is WorkflowTimeoutPolicy.TIME_OUT_WF:
        draft.wake_by(at)


def note_all_dates(draft: Draft) -> None:
    """Make sure that the run is woken for everything in it, also for what has become due while it was paused."""
    note_workflow_date(draft)
    for seq in draft.open:
        note_dates(draft, draft.tasks[seq])


def overdue(draft: Draft, task: Task) -> Kind | None:
    """Return what is due now in this task's life, if anything; a timeout that only alerts is nothing."""
    for deadline in deadlines(draft, task):
        if deadline.at > draft.now or deadline.look_only:
            continue
        if not only_alerts(draft, task, deadline):
            return deadline.kind
    return None


def only_alerts(draft: Draft, task: Task, deadline: Deadline) -> bool:
    """True for a timeout that ends nothing."""
    if deadline.kind in (Kind.VISIBLE, Kind.DUE):
        return False
    return policy_of(draft, task, deadline.kind) is TimeoutPolicy.ALERT_ONLY


def workflow_deadline(draft: Draft) -> Instant:
    """Return when the run itself times out, or NEVER."""
    seconds = draft.definition.timeout_seconds
    if not seconds:
        return NEVER
    return after(draft.workflow.last_retried_at or draft.workflow.created_at, seconds)


def recompute_wake(draft: Draft) -> None:
    """Work out the next date of the whole run anew; done when a date has been reached."""
    draft.change_workflow(wake_at=NEVER)
    note_workflow_date(draft)
    for seq in draft.open:
        for deadline in deadlines(draft, draft.tasks[seq]):
            if deadline.at > draft.now:
                draft.wake_by(deadline.at)


def run_timeout_reason(draft: Draft) -> str:
    """Return the sentence that tools know for the timeout of a run (Conductor 4.5)."""
    definition = draft.definition
    elapsed = _elapsed(draft, draft.workflow.last_retried_at or draft.workflow.created_at)
    return (
        f"Workflow timed out after {elapsed} seconds. Timeout configured as {definition.timeout_seconds} seconds. "
        f"Timeout policy configured to {definition.timeout_policy.value}"
    )


def timeout_reason(draft: Draft, task: Task, kind: Kind) -> str:
    """Return the sentence that tools know for this timeout (Conductor 4.5)."""
    definition = draft.plans[task.seq].definition_of(task)
    policy = definition.timeout_policy.value
    match kind:
        case Kind.TOTAL:
            return (
                f"Task {task.name}/{task.id} exceeded total timeout of {definition.total_timeout_seconds} seconds "
                f"(elapsed {_elapsed(draft, task.first_scheduled_at)} seconds across all attempts including retry "
                f"delays). Timeout policy: {policy}"
            )
        case Kind.TASK:
            return (
                f"Task timed out after {_elapsed(draft, task.started_at)} seconds. Timeout configured as "
                f"{definition.timeout_seconds} seconds. Timeout policy configured to {policy}"
            )
        case Kind.POLL:
            return (
                f"Task poll timed out after {_elapsed(draft, task.visible_at)} seconds. Poll timeout configured as "
                f"{definition.poll_timeout_seconds} seconds. Timeout policy configured to {policy}"
            )
        case Kind.RESPONSE:
            return (
                f"responseTimeout: {definition.response_timeout_seconds} exceeded for the taskId: {task.id} "
                f"with Task Definition: {task.name}"
            )
        case Kind.SILENCE:
            patience = definition.response_timeout_seconds or draft.surroundings.unheard_timeout_seconds
            return (
                f"responseTimeout: {patience} exceeded for the taskId: {task.id} with Task Definition: {task.name}. "
                f"Queue {task.queue} was empty since then and no worker was ever heard of: it may have died, or it "
                "acknowledged the message and sent no result"
            )
        case Kind.VISIBLE | Kind.DUE:
            raise AssertionError(f"{kind} is no timeout")


def policy_of(draft: Draft, task: Task, kind: Kind) -> TimeoutPolicy:
    """Return what a timeout of this kind does; response and silence always end the attempt (Conductor 4.5)."""
    if kind in (Kind.RESPONSE, Kind.SILENCE):
        return TimeoutPolicy.RETRY
    return draft.plans[task.seq].definition_of(task).timeout_policy


def _elapsed(draft: Draft, since: Instant) -> int:
    return max(0, draft.now - since) // SECOND
