"""What must hold for the rows of one run, looked at when they are stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from engine.clock import SECOND, Instant
from engine.decider.execution import Execution
from engine.model.execution import NEVER, Task
from engine.model.status import TASK_TRANSITIONS, WORKFLOW_TRANSITIONS, Slot, TaskStatus, WorkflowStatus
from engine.store.port import Rows, Save
from tests.simulation.past import is_taken_up, task_of, was_taken_up
from tests.simulation.rules import Rule, expect
from tests.simulation.workflows import TASK_DEF

_S = TypeVar("_S", TaskStatus, WorkflowStatus)
_JOINED = (TaskStatus.COMPLETED, TaskStatus.COMPLETED_WITH_ERRORS)
_FAILED = (TaskStatus.FAILED, TaskStatus.TIMED_OUT)


def check_rows(
    save: Save,
    before: Rows | None,
    rows: Rows,
    run: Execution,
    now: Instant,
    budget: int,
    hastened: Collection[str] = (),
) -> None:
    """Raise Violated for what no save may do; ``now`` is the latest moment that any process has seen.

    ``hastened`` are the ids of tasks whose delay an operator has ended in the same breath.
    """
    _check_versions(save, before)
    # A run that is retried may come to its end in the same breath.
    retried = before is not None and before.workflow.last_retried_at != save.workflow.last_retried_at
    _check_moves(rows, before, several=retried or len(save.workflow.unconfirmed) > 1)
    _check_sequence(rows)
    for task in save.inserted:
        if task.retry_of:
            _check_attempt(rows, run, task, hastened=task.id in hastened)
    _check_dates(save, before, now)
    _check_wake(rows)
    _check_pause(save, before)
    fresh = sum(not task.retry_of for task in save.inserted)
    # The step that an operator sends a run to is there before the flow goes on from it.
    budget += was_taken_up(rows)
    expect(fresh <= budget, Rule.I6, f"{rows.workflow.id} took {fresh} steps at once, of {budget} that are allowed")
    _check_joins(run, before)
    _check_scripts(run, now)


def forgotten_by(save: Save, before: Rows | None, run: Execution) -> set[int]:
    """Return which tasks a save has left no row of; only loops that say so forget, and only what is over."""
    first = 0 if before is None else before.workflow.last_seq
    there = {task.seq for task in (*save.inserted, *(save.earlier.tasks if save.earlier is not None else ()))}
    gone = {*save.forgotten, *(seq for seq in range(first + 1, save.workflow.last_seq + 1) if seq not in there)}
    wanted = any("keepLastN" in plan.step.input_parameters for plan in run.plans.values())
    expect(wanted or not gone, Rule.STATES, f"{save.workflow.id} forgets {sorted(gone)}, and no loop wants that")
    for seq in save.forgotten:
        task = task_of(before, seq)
        over = task is None or (task.status.is_terminal and (task.executed or task.retried))
        expect(over, Rule.STATES, f"{save.workflow.id} forgets its task {seq}, which is not over")
    return gone


def _check_versions(save: Save, before: Rows | None) -> None:
    stored = None if before is None else before.workflow.version_no
    expect(save.loaded_version == stored, Rule.I3, f"{save.workflow.id} was saved over version {stored}")
    following = save.workflow.updated_at if stored is None else stored + 1
    expect(save.workflow.version_no == following, Rule.I3, f"{save.workflow.id} skips a version")


def _reachable(table: Mapping[_S, frozenset[_S]], then: _S, several: bool) -> set[_S]:
    """Return the statuses that may follow: one save may hold several steps where it holds several events."""
    found = {then, *table[then]}
    return found | {last for each in found for last in table[each]} if several else found


def _check_moves(rows: Rows, before: Rows | None, *, several: bool) -> None:
    """Statuses follow the tables; what has ended stays as it is."""
    if before is None:
        return
    now, then = rows.workflow.status, before.workflow.status
    allowed = _reachable(WORKFLOW_TRANSITIONS, then, several)
    expect(now in allowed, Rule.STATES, f"{rows.workflow.id} went from {then} to {now}")
    reopened = is_taken_up(rows, before)
    known = {task.seq: task for task in before.tasks}
    for task in rows.tasks:
        was = known.get(task.seq)
        if was is None or task is was:
            continue
        may_follow = _reachable(TASK_TRANSITIONS, was.status, several)
        what = f"{task.id} ({task.ref})"
        expect(task.status in may_follow, Rule.STATES, f"{what} went from {was.status} to {task.status}")
        if was.status.is_terminal and task.status.is_terminal and not reopened:
            expect(task.output == was.output, Rule.I2, f"{what} had ended and got another output")
        expect(task.attempt == was.attempt and task.ref == was.ref, Rule.STATES, f"{what} has become another task")


def _check_sequence(rows: Rows) -> None:
    """No reference is scheduled twice for one attempt; attempts follow one another; ended runs rest."""
    identity = rows.workflow.id
    seen: dict[str, int] = {}
    last = 0
    for task in rows.tasks:
        expect(last < task.seq <= rows.workflow.last_seq, Rule.STATES, f"{identity} has {task.seq} behind {last}")
        last = task.seq
        follows = seen.get(task.ref, -1) == task.attempt - 1
        expect(follows, Rule.STATES, f"{identity}: {task.ref} has attempt {task.attempt} twice or too early")
        seen[task.ref] = task.attempt
    if rows.workflow.status.is_terminal:
        open_tasks = [task.ref for task in rows.tasks if task.status.is_open]
        expect(not open_tasks, Rule.I8, f"{identity} is {rows.workflow.status} and {open_tasks} are open")


def _check_attempt(rows: Rows, run: Execution, task: Task, *, hastened: bool) -> None:
    """A further attempt follows a failure, within the limit and after the delay; an operator may ask for more."""
    if rows.workflow.last_retried_at != NEVER:
        return
    failed, config = run.tasks[task.retry_of], run.plans[task.seq].step
    what = f"{task.id} ({task.ref}), attempt {task.attempt}"
    expect(failed.status in _FAILED, Rule.STATES, f"{what} follows one that is {failed.status}")
    definition = TASK_DEF.get(task.name) if task.type in ("SIMPLE", "DYNAMIC") else None
    limit = config.retry_count
    if limit is None:
        limit = definition["retryCount"] if definition else 0
    expect(task.attempt <= limit, Rule.STATES, f"{what} is more than {limit} retries")
    if definition is None or hastened:
        return
    seconds = definition.get("retryDelaySeconds", 60)
    factor = {"FIXED": 1, "EXPONENTIAL_BACKOFF": 2**failed.attempt, "LINEAR_BACKOFF": failed.attempt + 1}
    wanted = seconds * factor[definition["retryLogic"]] * SECOND
    found = task.visible_at - task.scheduled_at
    expect(found == wanted, Rule.DATES, f"{what} waits {found / SECOND} s, not {wanted / SECOND}")


def _check_dates(save: Save, before: Rows | None, now: Instant) -> None:
    for task in (*save.inserted, *save.updated):
        was = task_of(before, task.seq)
        if task.queue and task.dispatched and (was is None or not was.dispatched):
            expect(task.visible_at <= now, Rule.DATES, f"{task.id} ({task.ref}) was handed out before its time")


def _check_wake(rows: Rows) -> None:
    """A run that goes on is woken for the first of its dates at the latest."""
    if rows.workflow.status is not WorkflowStatus.RUNNING:
        return
    for task in rows.tasks:
        if task.status.is_open:
            # A run that waits for a place looks at what is late once it has one.
            goes_on = task.slot is Slot.NONE and rows.workflow.slot is not Slot.WAITING
            delayed = not task.dispatched and bool(task.queue) and goes_on
            date = task.due_at or (task.visible_at if delayed else NEVER)
            woken = date == NEVER or NEVER < rows.workflow.wake_at <= date
            expect(woken, Rule.I4, f"{task.id} ({task.ref}) is due at {date}, its run wakes at {rows.workflow.wake_at}")


def _check_pause(save: Save, before: Rows | None) -> None:
    """A run that is paused and stays so schedules nothing."""
    if before is None or before.workflow.status is not WorkflowStatus.PAUSED:
        return
    stays = save.workflow.status is WorkflowStatus.PAUSED and not is_taken_up(Rows(save.workflow, ()), before)
    new = [task.ref for task in save.inserted]
    expect(not (stays and new), Rule.OPERATOR, f"{save.workflow.id} is paused and schedules {new}")


def joined_by(run: Execution, join: Task) -> list[Task]:
    """Return the tasks that a JOIN waits for, so far as the flow has come to them."""
    suffix = join.ref.removeprefix(run.plans[join.seq].step.task_reference_name)
    seqs = (run.latest.get(ref + suffix) for ref in join.input["joinOn"])
    return [run.tasks[seq] for seq in seqs if seq is not None]


def _check_scripts(run: Execution, now: Instant) -> None:
    """A JOIN whose script wants one of its branches ends as soon as one has ended well."""
    if run.workflow.status is not WorkflowStatus.RUNNING or NEVER < run.workflow.wake_at <= now:
        return
    for seq in run.open:
        if run.tasks[seq].type == "JOIN" and ".some(" in (run.plans[seq].step.expression or ""):
            enough = [each.ref for each in joined_by(run, run.tasks[seq]) if each.executed and each.status in _JOINED]
            expect(not enough, Rule.STATES, f"{run.tasks[seq].ref} waits though {enough} would be enough")


def _check_joins(run: Execution, before: Rows | None) -> None:
    known = {} if before is None else {task.seq: task for task in before.tasks}
    for task in run.tasks.values():
        was = known.get(task.seq)
        if task.type != "JOIN" or task.status not in _JOINED or (was is not None and was.status.is_terminal):
            continue
        script = run.plans[task.seq].step.expression
        # A script sees a SWITCH as done before the flow is through its case.
        waited = {each.ref: each.executed or (script and each.status in _JOINED) for each in joined_by(run, task)}
        if ".some(" in (script or ""):
            expect(any(waited.values()), Rule.STATES, f"{task.ref} waited for none of {sorted(waited)}")
            continue
        for ref, settled in waited.items():
            expect(bool(settled), Rule.STATES, f"{task.ref} did not wait for {ref}")
