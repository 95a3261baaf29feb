"""What each kind of news does to a run; what no longer fits is dropped and counted (invariant I2)."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from engine.clock import after
from engine.decider.deadline import note_dates
from engine.decider.draft import Draft
from engine.decider.ending import cancel
from engine.decider.kept import keep
from engine.decider.place import place_of
from engine.decider.plan import Plan
from engine.decider.schema import output_mismatch
from engine.decider.walk import Settle, Walk
from engine.model.command import Abandon, Dispatch, SeeToSlot, StartChild
from engine.model.event import Beginning, ChildEnded, ChildStarted, SlotNews, TaskResult
from engine.model.execution import NEVER, Task
from engine.model.payload import Json
from engine.model.status import Slot, TaskStatus


def task_result(walk: Walk, result: TaskResult) -> bool:
    """Apply a worker's word about a task; False when the task is unknown, closed, or a container, which has none."""
    draft = walk.draft
    task = _open_task(draft, result.seq)
    if task is None:
        return False
    plan = draft.plans[task.seq]
    if _is_out_of_place(plan, task, result):
        return False
    if result.status is TaskStatus.IN_PROGRESS:
        _is_worked_on(walk, task, result)
        return True
    if plan.heeds_success and _is_workers_success(task, result) and _goes_on(walk, task, result):
        return True
    if plan.is_completed_later:
        if not task.queue and not result.reported:
            # Its worker is done with it and says so again.
            return False
        if task.queue and result.status is TaskStatus.COMPLETED:
            # It is in other hands from now on, even where it was to be handed out again after a delay.
            note_dates(draft, _in_progress(draft, task, result, output=result.output, queue="", dispatched=True))
            return True
    result = _as_promised(plan, task, result)
    ended = draft.change(
        task,
        status=result.status,
        output=result.output,
        reason=result.reason,
        worker=result.worker or task.worker,
        started_at=task.started_at or draft.now,
        updated_at=draft.now,
        ended_at=draft.now,
        due_at=NEVER,
    )
    if plan.is_cached and ended.status is TaskStatus.COMPLETED:
        keep(draft, ended)
    walk.agenda.append(Settle(ended.seq))
    return True


def _is_worked_on(walk: Walk, task: Task, result: TaskResult) -> None:
    draft = walk.draft
    begun = _times_begun(task, result.beginning)
    if begun != task.times_begun:
        draft.counted.add(result.event_id)
    if begun - 1 > draft.surroundings.redelivery_limit:
        _lost_too_often(walk, task, begun - 1)
    else:
        _sign_of_life(walk, draft.change(task, times_begun=begun), result)


def _is_out_of_place(plan: Plan, task: Task, result: TaskResult) -> bool:
    """True when a word about an open task cannot be meant for it as it is now."""
    if plan.kind.reopens:
        return True
    if result.status is TaskStatus.IN_PROGRESS and task.slot is Slot.WAITING:
        # Nobody can work on what was handed out to nobody.
        return True
    if result.heartbeat and task.status is TaskStatus.SCHEDULED and task.queue and not task.dispatched:
        # It is to be handed out again later: who works on it now has an old message in hand.
        return True
    return plan.heeds_success and _is_workers_success(task, result) and plan.kind.is_outdated(task, result.output)


def _is_workers_success(task: Task, result: TaskResult) -> bool:
    return bool(task.queue) and result.status is TaskStatus.COMPLETED and not result.reported


def _goes_on(walk: Walk, task: Task, result: TaskResult) -> bool:
    """Let the task's type say what follows from a worker's success; False when it is simply the end."""
    place = place_of(walk.draft, task)
    step = None if place is None else place.kind.worker_done(place, result.output)
    if step is None:
        return False
    walk.carry_out(walk.draft.change(task, worker=result.worker or task.worker), step)
    return True


def _as_promised(plan: Plan, task: Task, result: TaskResult) -> TaskResult:
    """Return the result, a failure where its output is not what the task's definition demands."""
    if result.status is not TaskStatus.COMPLETED:
        return result
    wrong = output_mismatch(plan.definition_of(task), result.output)
    return result if wrong is None else replace(result, status=TaskStatus.FAILED, reason=wrong)


def _times_begun(task: Task, beginning: Beginning | None) -> int:
    """Return how often the attempt has been begun, with this news of it."""
    match beginning:
        case None:
            return task.times_begun
        case Beginning.WISHED:
            return 0
        case Beginning.FIRST:
            return task.times_begun + 1
        case Beginning.AGAIN:
            # Of the first time nothing is known when the worker was lost before it said anything.
            return max(task.times_begun, 1) + 1
        case _:
            assert_never(beginning)


def _lost_too_often(walk: Walk, task: Task, times: int) -> None:
    """End an attempt that has been lost with one worker after the other; a further one may follow."""
    draft = walk.draft
    last = f"the last one known was {task.worker}" if task.worker else "none of them said its name"
    reason = (
        f"{times} workers in a row were lost with the task {task.id} before it ended: they died of it (out of memory, "
        f"a crash, os._exit) or lost the broker; {last}. More than {draft.surroundings.redelivery_limit} "
        f"(BATON_REDELIVERY_LIMIT) end the attempt"
    )
    ended = draft.change(
        task,
        status=TaskStatus.FAILED,
        reason=reason,
        times_begun=times,
        started_at=task.started_at or draft.now,
        updated_at=draft.now,
        ended_at=draft.now,
        due_at=NEVER,
    )
    cancel(draft, ended)
    walk.agenda.append(Settle(ended.seq))


def _sign_of_life(walk: Walk, task: Task, result: TaskResult) -> None:
    """Somebody works on the task, wants it back later, or tells how far it has come."""
    draft = walk.draft
    if result.polled:
        _in_progress(draft, task, result, output=task.output, polls=task.polls + 1, callback_after_seconds=0)
    elif result.heartbeat:
        _in_progress(draft, task, result, output=result.output or task.output)
    elif task.queue and result.callback_after_seconds is not None:
        draft.change(
            task,
            status=TaskStatus.SCHEDULED,
            output=result.output,
            worker=result.worker or task.worker,
            times_begun=0,
            updated_at=draft.now,
            callback_after_seconds=result.callback_after_seconds,
            visible_at=after(draft.now, result.callback_after_seconds),
            dispatched=False,
        )
        if not result.callback_after_seconds and draft.flows:
            walk.start_again(draft.tasks[task.seq])
    else:
        _in_progress(draft, task, result, output=result.output)
    note_dates(draft, draft.tasks[task.seq])


def _in_progress(draft: Draft, task: Task, result: TaskResult, **fields: Json) -> Task:
    return draft.change(
        task,
        status=TaskStatus.IN_PROGRESS,
        worker=result.worker or task.worker,
        started_at=task.started_at or draft.now,
        updated_at=draft.now,
        **fields,
    )


def child_started(walk: Walk, news: ChildStarted) -> bool:
    """The run that a task asked for is stored; one that nobody wants any more is ended again."""
    draft = walk.draft
    end_unwanted_child(draft, news)
    task = draft.tasks.get(news.seq)
    if task is None or task.child_id != news.child_id or task.status.is_terminal:
        return False
    kind = draft.plans[task.seq].kind
    known = task.status is TaskStatus.IN_PROGRESS and kind.awaits_child and task.output.get("subWorkflowId")
    place = place_of(draft, task)
    if known or place is None or draft.workflow.status.is_terminal:
        return False
    walk.carry_out(task, place.kind.child_started(place, news.child_id))
    return True


def end_unwanted_child(draft: Draft, news: ChildStarted) -> None:
    """Command that a run be ended whose task has ended before it came to be, or was taken out of the flow."""
    task = draft.tasks.get(news.seq)
    if task is None:
        if 0 < news.seq <= draft.workflow.last_seq:
            draft.command(Abandon(news.seq, news.child_id))
    elif task.child_id == news.child_id and task.status.is_terminal and task.status is not TaskStatus.COMPLETED:
        cancel(draft, task)


def child_ended(walk: Walk, news: ChildEnded) -> bool:
    """The run that a task started has ended, or could not be started."""
    task = _open_task(walk.draft, news.seq)
    if task is None or task.child_id != news.child_id:
        return False
    place = place_of(walk.draft, task)
    if place is None:
        return False
    walk.carry_out(task, place.kind.child_ended(place, news))
    return True


def slot_news(walk: Walk, news: SlotNews) -> bool:
    """A slot is the task's own: it goes out. Or there may be room under its limit: ask again."""
    draft = walk.draft
    task = _open_task(draft, news.seq)
    if task is None or task.slot is not Slot.WAITING:
        return False
    if not news.granted:
        draft.command(SeeToSlot(task.seq))
        return True
    task = draft.change(task, slot=Slot.HELD, visible_at=draft.now)
    if task.queue or task.child_id:
        task = draft.change(task, dispatched=True)
        draft.command(Dispatch(task.seq) if task.queue else StartChild(task.seq))
        note_dates(draft, task)
    elif draft.flows:
        # What no worker carries out begins now; in a pause it is taken up by the end of the pause.
        walk.start_again(task)
    return True


def _open_task(draft: Draft, seq: int) -> Task | None:
    task = draft.tasks.get(seq)
    closed = task is None or task.status.is_terminal or draft.workflow.status.is_terminal
    return None if closed else task
