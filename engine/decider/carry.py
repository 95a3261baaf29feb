"""Carrying out what a task type answered: one place where a step becomes rows and commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from msgspec.structs import replace

from engine.clock import SECOND, after
from engine.decider.child import wanted_id
from engine.decider.deadline import note_dates
from engine.decider.domain import domain_of
from engine.decider.draft import Draft
from engine.decider.ending import abort, end
from engine.decider.execution import ListKey, list_of
from engine.decider.kept import kept_output
from engine.decider.place import is_limited, place_of
from engine.decider.plan import Plan
from engine.decider.schema import input_mismatch
from engine.expression.budget import outweighs
from engine.model.command import AskRun, Dispatch, SeeToSlot, StartChild
from engine.model.execution import NEVER, Task
from engine.model.payload import Json
from engine.model.status import Slot, TaskStatus
from engine.tasks import task_type
from engine.tasks.step import (
    Abort,
    Ask,
    Assign,
    Await,
    Become,
    Complete,
    End,
    Fail,
    HandOut,
    HandOutLater,
    Hold,
    Launch,
    Open,
    Step,
    TakeMessages,
)
from engine.wire.message import is_engines_own
from engine.wire.system_queue import system_queue


def out(draft: Draft, plan: Plan, task: Task, step: Step) -> Task:  # noqa: C901  one arm for each member of a closed union
    """Do what the step says to the task's row and to the run; return the row as it is then."""
    if plan.opens_lists:
        draft.holding.drop(task.seq)
    match step:
        case Complete():
            return _finish(draft, task, step.status, step.output, step.reason, step.input)
        case Fail():
            default = TaskStatus.FAILED_WITH_TERMINAL_ERROR if step.terminal else TaskStatus.FAILED
            return _finish(draft, task, step.status or default, step.output, step.reason, None)
        case HandOut():
            return _hand_out(draft, plan, task, step)
        case Become():
            return out(draft, plan, _renamed(draft, task, step.name), step.step)
        case HandOutLater():
            return _hand_out_later(draft, task, step)
        case Hold():
            return _hold(draft, task, step)
        case Open():
            return _open(draft, task, step)
        case Await():
            return _await(draft, task, step)
        case Ask():
            draft.command(AskRun(task.seq))
            return _hold(draft, draft.change(task, dispatched=True), Hold())
        case Launch():
            return _launch(draft, task, step)
        case Assign():
            draft.change_workflow(variables={**draft.workflow.variables, **step.variables})
            return _finish(draft, task, TaskStatus.COMPLETED, {}, None, None)
        case TakeMessages():
            waiting = draft.workflow.messages
            draft.change_workflow(messages=waiting[step.most :])
            taken = list(waiting[: step.most])
            return _finish(draft, task, TaskStatus.COMPLETED, {"messages": taken, "count": len(taken)}, None, None)
        case End():
            done = _finish(draft, task, TaskStatus.COMPLETED, {}, None, None)
            done = draft.change(done, executed=True, output=dict(step.output))
            _cut_short(draft, done)
            end(draft, step.status, step.reason, output=step.output)
            return done
        case Abort():
            abort(draft, step.reason, at=task)
            return task
        case _:
            assert_never(step)


def _cut_short(draft: Draft, task: Task) -> None:
    """Have the containers around a task note what has come of it, before the run is ended by it; innermost first."""
    while task.parent:
        task = draft.tasks[task.parent]
        place = place_of(draft, task)
        if place is not None and task.status.is_open:
            draft.change(task, output=place.kind.cut_short(place))


def _finish(
    draft: Draft, task: Task, status: TaskStatus, output: Json, reason: str | None, stored: Json | None
) -> Task:
    if task.status is TaskStatus.SCHEDULED and not task.started_at:
        task = draft.change(task, started_at=draft.now)
    limit = draft.surroundings.limits.value_characters
    if outweighs(output, limit):
        status, reason, output = TaskStatus.FAILED_WITH_TERMINAL_ERROR, too_large(task, limit), {}
    return draft.change(
        task,
        status=status,
        output=output,
        reason=reason,
        input=task.input if stored is None else stored,
        ended_at=draft.now,
        updated_at=draft.now,
        due_at=NEVER,
    )


def too_large(task: Task, limit: int) -> str:
    """Return why a task whose output is made by the engine cannot be stored."""
    return (
        f"The output of {task.ref} would have more than {limit:,} characters as JSON: have tasks return references to "
        "large data instead of the data"
    )


def _renamed(draft: Draft, task: Task, name: str) -> Task:
    if name == task.name:
        return task
    own, found = task.own_definition, draft.surroundings.task_defs.get(name)
    if own is None and found is not None:
        own = found.to_json()
    return draft.change(task, name=name, own_definition=own)


def _hand_out(draft: Draft, plan: Plan, task: Task, step: HandOut) -> Task:
    given = task.input if step.input is None else step.input
    domain = task.domain
    if step.by_domain and not task.updated_at:
        # One that its worker wants back goes to the same workers again.
        domain = domain_of(draft, task.name, step.queue)
    queue = f"{domain}:{step.queue}" if domain else _queue(draft, task, step)
    if is_engines_own(queue):
        reason = f"The task cannot go to the queue {queue[:100]!r}, which is the engine's or the broker's own"
        return _finish(draft, task, TaskStatus.FAILED_WITH_TERMINAL_ERROR, {}, reason, step.input)
    now_visible = task.visible_at <= draft.now
    task = draft.change(
        task,
        domain=domain,
        queue=queue,
        input=given,
        dispatched=now_visible,
        # A delay that ended while the run was paused is no silence of a worker: what is late counts from now.
        visible_at=max(task.visible_at, draft.now),
    )
    wrong = input_mismatch(plan.definition_of(task), given)
    if wrong is not None:
        task = draft.change(task, dispatched=False)
        return _finish(draft, task, TaskStatus.FAILED_WITH_TERMINAL_ERROR, {}, wrong, None)
    kept = kept_output(draft, task) if plan.is_cached else None
    if kept is not None:
        return _finish(draft, draft.change(task, dispatched=False), TaskStatus.COMPLETED, kept, None, None)
    if now_visible and _must_wait(draft, task):
        task = draft.change(task, slot=Slot.WAITING, dispatched=False)
        draft.command(SeeToSlot(task.seq))
    elif now_visible:
        draft.command(Dispatch(task.seq))
    note_dates(draft, task)
    return task


def _queue(draft: Draft, task: Task, step: HandOut) -> str:
    """Return a system task's queue as its definition wants it; a worker's own is named in one way only."""
    if step.by_domain or not draft.surroundings.isolated_queues:
        return step.queue
    definition = draft.plans[task.seq].definition_of(task)
    return system_queue(step.queue, definition.execution_name_space, definition.isolation_group_id)


def _hand_out_later(draft: Draft, task: Task, step: HandOutLater) -> Task:
    task = draft.change(
        task,
        status=TaskStatus.SCHEDULED,
        output=step.output,
        polls=task.polls + 1,
        times_begun=0,
        started_at=task.started_at or draft.now,
        updated_at=draft.now,
        callback_after_seconds=step.after_seconds,
        visible_at=after(draft.now, step.after_seconds),
        dispatched=False,
    )
    note_dates(draft, task)
    return task


def _hold(draft: Draft, task: Task, step: Hold) -> Task:
    if step.awaits is not None:
        draft.awaited[task.seq] = step.awaits
    output = task.output if step.output is None else step.output
    if not task.child_id and _must_wait(draft, task):
        task = draft.change(task, slot=Slot.WAITING, dispatched=False)
        draft.command(SeeToSlot(task.seq))
        note_dates(draft, task)
        return task
    if step.until is not None and step.until <= draft.now:
        return _finish(draft, task, TaskStatus.COMPLETED, output, None, None)
    task = draft.change(
        task,
        status=TaskStatus.IN_PROGRESS,
        output=output,
        started_at=task.started_at or draft.now,
        updated_at=draft.now,
        due_at=NEVER if step.until is None else step.until,
        callback_after_seconds=step.shown_seconds if step.until is None else -(-(step.until - draft.now) // SECOND),
    )
    note_dates(draft, task)
    return task


def _open(draft: Draft, task: Task, step: Open) -> Task:
    status = TaskStatus.COMPLETED if step.done else TaskStatus.IN_PROGRESS
    task = draft.change(
        task,
        status=status,
        output=step.output,
        input=task.input if step.input is None else step.input,
        iteration=task.iteration if step.iteration is None else step.iteration,
        started_at=task.started_at or draft.now,
        updated_at=draft.now,
        ended_at=draft.now if step.done else NEVER,
    )
    note_dates(draft, task)
    return task


def newly_opened(draft: Draft, task: Task) -> Iterator[ListKey]:
    """Open the lists that the task's row names and that are not open yet; yield their keys."""
    config = draft.plans[task.seq].step
    kind = task_type(config.type)
    if task.executed or (task.status.is_terminal and task.status is not TaskStatus.COMPLETED):
        return
    branches = kind.branches(config, task)
    if not branches or (kind.detached and draft.forks.get(task.seq) is not None):
        return
    outer_key = (task.parent, task.branch)
    outer = draft.lists[outer_key]
    if kind.detached:
        draft.forks[task.seq] = len(branches)
        draft.lists[outer_key] = replace(outer, live=outer.live + len(branches))
    elif task.status.is_open:
        draft.holding[task.seq] = None
    for branch in branches:
        key = (task.seq, branch.name)
        if key not in draft.lists:
            draft.lists[key] = list_of(branch, outer.suffix)
            yield key


def _await(draft: Draft, task: Task, step: Await) -> Task:
    task = draft.change(
        task,
        status=TaskStatus.IN_PROGRESS,
        input=task.input if step.input is None else step.input,
        started_at=draft.now,
        updated_at=draft.now,
    )
    note_dates(draft, task)
    place = place_of(draft, task)
    if place is None:
        return task
    unsettled, alone = 0, (task.seq,)
    for ref in place.kind.awaits(place.config, task) or ():
        full = ref + place.suffix
        there = place.latest(full)
        if there is None or not there.executed:
            unsettled += 1
            others = draft.waiters.get(full)
            # What only one waits for has one and the same tuple: forks are wide.
            draft.waiters[full] = (*others, task.seq) if others else alone
    draft.unsettled[task.seq] = unsettled
    before = place.previous()
    if before is not None and task_type(before[0].type).detached:
        draft.joins[before[1].seq] = task.seq
    return task


def _launch(draft: Draft, task: Task, step: Launch) -> Task:
    limited = _must_wait(draft, task)
    task = draft.change(task, input=step.input, dispatched=not limited, slot=Slot.WAITING if limited else task.slot)
    task = draft.change(task, child_id=wanted_id(task, draft.plans[task.seq].kind.child(task)))
    draft.command(SeeToSlot(task.seq) if limited else StartChild(task.seq))
    note_dates(draft, task)
    return task


def _must_wait(draft: Draft, task: Task) -> bool:
    """True for a task that is about to begin, whose name is limited, and that has no slot yet."""
    return task.slot is Slot.NONE and task.status is TaskStatus.SCHEDULED and is_limited(draft, task)
