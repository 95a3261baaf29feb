"""A date has come: what is due now, for the run and for each of its open tasks."""

from __future__ import annotations

from typing import assert_never

from engine.decider.alert import alert
from engine.decider.asked import waiting_tasks
from engine.decider.deadline import (
    Kind,
    note_silence,
    overdue,
    policy_of,
    recompute_wake,
    run_timeout_reason,
    timeout_reason,
    workflow_deadline,
)
from engine.decider.draft import Draft
from engine.decider.ending import cancel, cancel_inside, end
from engine.decider.place import place_of
from engine.decider.walk import Settle, Walk
from engine.model.command import AskChild, AskRun, Dispatch, SeeToSlot, StartChild, StartFailureWorkflow, TellParent
from engine.model.definition import TimeoutPolicy, WorkflowTimeoutPolicy
from engine.model.event import Wake
from engine.model.execution import NEVER, Task
from engine.model.status import Slot, TaskStatus, WorkflowStatus


def wake(walk: Walk, event: Wake) -> bool:
    """Do what is due; with ``resend``, publish again what may have been lost: open work, or a failure workflow."""
    draft = walk.draft
    since = draft.workflow.wake_at
    if draft.has_ended():
        if event.resend and draft.workflow.failure_workflow_id is not None:
            draft.command(StartFailureWorkflow())
        return False
    if event.resend:
        _send_again(draft, workers_lost=event.workers_lost)
    if event.lost_queue is not None:
        _send_again_to(draft, event.lost_queue)
    if _run_timed_out(draft):
        return True
    for seq in draft.open:
        task = note_silence(draft, draft.tasks[seq])
        due = overdue(draft, task)
        if due is None or (due is not Kind.DUE and not draft.flows):
            continue
        _act(walk, task, due)
        if draft.has_ended():
            return True
    walk.to_rest()
    if not draft.has_ended() and not draft.unfinished:
        alert(draft, since)
        recompute_wake(draft)
    return True


def _send_again(draft: Draft, *, workers_lost: bool) -> None:
    workflow = draft.workflow
    if _is_first_round(draft):
        # That its parent has ended meanwhile, and this run with it, may have been lost. One that was retried or
        # restarted by itself goes on without a parent.
        for task_id in waiting_tasks(workflow):
            draft.command(TellParent(task_id, started=True))
    if workflow.slot is Slot.WAITING:
        draft.command(SeeToSlot(-workflow.slot_no))
    for seq in draft.open:
        task = draft.tasks[seq]
        if task.slot is Slot.WAITING:
            draft.command(SeeToSlot(seq))
        if task.dispatched:
            _send_task_again(draft, task, workers_lost=workers_lost)


def _send_task_again(draft: Draft, task: Task, *, workers_lost: bool) -> None:
    if task.queue and task.status is TaskStatus.IN_PROGRESS and workers_lost:
        task = draft.change(task, status=TaskStatus.SCHEDULED, visible_at=draft.now)
    if task.queue and task.status is TaskStatus.SCHEDULED:
        # It is in its queue from now on: what was seen of the queue before says nothing about it.
        draft.change(task, visible_at=draft.now, updated_at=NEVER)
        draft.command(Dispatch(task.seq))
    elif task.child_id:
        draft.command(StartChild(task.seq))
        if draft.workflow.last_retried_at != NEVER:
            # It may have ended before the retry: what it answers to a start would then be known from that time.
            draft.command(AskChild(task.seq))
    elif draft.plans[task.seq].kind.request(task) is not None:
        draft.command(AskRun(task.seq))


def _is_first_round(draft: Draft) -> bool:
    """True when no operator has taken the run up again: its first task is part of it, or is still to come."""
    workflow = draft.workflow
    return workflow.last_retried_at == NEVER and (1 in draft.tasks or not workflow.last_seq)


def _send_again_to(draft: Draft, queue: str) -> None:
    """Publish what stands in one queue again: some of its messages were lost, and nobody knows which."""
    for seq in draft.open:
        task = draft.tasks[seq]
        if task.queue == queue and task.status is TaskStatus.SCHEDULED and task.dispatched:
            draft.change(task, visible_at=draft.now, updated_at=NEVER)
            draft.command(Dispatch(seq))


def _run_timed_out(draft: Draft) -> bool:
    deadline = workflow_deadline(draft)
    if deadline == NEVER or draft.now < deadline:
        return False
    if draft.definition.timeout_policy is not WorkflowTimeoutPolicy.TIME_OUT_WF:
        return False
    end(draft, WorkflowStatus.TIMED_OUT, run_timeout_reason(draft))
    return True


def _act(walk: Walk, task: Task, due: Kind) -> None:
    match due:
        case Kind.VISIBLE:
            walk.start_again(task)
        case Kind.DUE:
            place = place_of(walk.draft, task)
            if place is not None:
                walk.carry_out(task, place.kind.due(place))
        case Kind.TOTAL | Kind.TASK | Kind.POLL | Kind.RESPONSE | Kind.SILENCE:
            _time_out(walk, task, due)
        case _:
            assert_never(due)


def _time_out(walk: Walk, task: Task, kind: Kind) -> None:
    draft = walk.draft
    reason = timeout_reason(draft, task, kind)
    if task.seq in draft.holding:
        cancel_inside(draft, task)
    ended = draft.change(
        task, status=TaskStatus.TIMED_OUT, reason=reason, ended_at=draft.now, updated_at=draft.now, due_at=NEVER
    )
    cancel(draft, task)
    if policy_of(draft, task, kind) is TimeoutPolicy.TIME_OUT_WF:
        end(draft, WorkflowStatus.TIMED_OUT, reason, failed=ended)
    else:
        walk.agenda.append(Settle(ended.seq))
