"""The flow: from what has just happened to the next point of rest.

An agenda holds what is still to be done, first come, first served. Three kinds of entry are enough:

* ``Enter``: the flow reaches a place in a list; schedule the step there, or end the list behind its last step.
* ``Settle``: a task has ended; retry it, pass behind it, or fail the run.
* ``Ask``: something that a task waited for has come; ask its type what to do now.

Everything on the agenda can be found again from the rows (``pick_up``), so a decision may stop when its step budget
is spent, and a run that is loaded afresh needs nobody's memory.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias, assert_never

from msgspec import Struct
from msgspec.structs import replace

from engine.decider import carry
from engine.decider.draft import Draft
from engine.decider.ending import complete, fail
from engine.decider.execution import ROOT, ListKey, OpenList
from engine.decider.notices import tell_turns
from engine.decider.place import Place, definition_of, place_of
from engine.decider.retry import may_retry, retry_at, total_time_spent
from engine.decider.schedule import schedule, schedule_retry
from engine.model.command import WakeSoon
from engine.model.definition import walk as steps_within
from engine.model.execution import Task
from engine.model.status import Slot, TaskStatus
from engine.tasks import task_type
from engine.tasks.step import Step


class Enter(Struct, frozen=True, gc=False):
    """The flow reaches this position of a list."""

    key: ListKey
    position: int


class Settle(Struct, frozen=True, gc=False):
    """This task has ended and nobody has drawn the consequences yet."""

    seq: int


class Carry(Struct, frozen=True):
    """The task's type has answered: do what it says."""

    seq: int
    step: Step


class Ended(Struct, frozen=True, gc=False):
    """Every list that this container had open has ended, and its type has not been told."""

    seq: int


Entry: TypeAlias = Enter | Settle | Carry | Ended

#: How much evaluating expressions and conditions one decision may cost for each step of its budget, in steps of
#: ``expression.budget``: with the usual budget about 200 ms. What is left goes on by a wake-up, behind other runs.
_EFFORT_PER_STEP = 100


class Walk:
    """One run of the flow over a draft."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.agenda: deque[Entry] = deque()
        self._steps_left = draft.surroundings.step_budget
        self._effort_limit = draft.surroundings.step_budget * _EFFORT_PER_STEP

    def to_rest(self) -> None:
        """Work through the agenda until the run rests, has ended, is paused, or the step budget is spent."""
        draft = self.draft
        while self.agenda and draft.flows:
            # Something is written in every decision, however much it costs, or the run would never come any further.
            if self._steps_left <= 0 or (draft.touched and draft.effort > self._effort_limit):
                self._stop_here()
                return
            entry = self.agenda.popleft()
            match entry:
                case Enter():
                    self._steps_left -= 1
                    draft.steps += 1
                    self._enter(entry.key, entry.position)
                case Settle():
                    self._settle(draft.tasks[entry.seq])
                case Carry():
                    self.carry_out(draft.tasks[entry.seq], entry.step)
                case Ended():
                    self._lists_ended(draft.tasks[entry.seq])
                case _:
                    assert_never(entry)
            if draft.turns:
                tell_turns(draft)
        self.agenda.clear()
        if draft.flows and not draft.unfinished:
            self._check_something_moves()

    def _stop_here(self) -> None:
        """Leave the rest to the next decision, which finds it from the rows.

        What was derived stays where the rows say the same; where it is half a step on, it is derived anew.
        """
        draft = self.draft
        is_whole = all(self._is_in_the_rows(entry) for entry in self.agenda)
        self.agenda.clear()
        draft.command(WakeSoon())
        draft.wake_by(draft.now)
        first, draft.unfinished = not draft.unfinished, True
        if is_whole:
            return
        if first:
            draft.rebuild()
        else:
            # Once for all that follows: a batch of facts would have every row looked at for each of them.
            draft.stale = True

    def _is_in_the_rows(self, entry: Entry) -> bool:
        """True for what has had no effect yet: a list that nobody has entered, a task that has ended and no more.

        A wide fork leaves nothing else when it is opened in parts.
        """
        match entry:
            case Enter():
                opened = self.draft.lists.get(entry.key)
                return entry.position == 0 and opened is not None and bool(opened.steps)
            case Settle():
                return True
            case Carry() | Ended():
                return False
            case _:
                assert_never(entry)

    # what tasks do

    def carry_out(self, task: Task, step: Step) -> None:
        """Do what the task's type answered, and note what follows from it."""
        plan = self.draft.plans[task.seq]
        task = carry.out(self.draft, plan, task, step)
        if self.draft.has_ended():
            return
        if task.status.is_terminal:
            self.agenda.append(Settle(task.seq))
        if plan.opens_lists:
            self._open_lists(task)
        if plan.awaits_tasks and task.seq in self.draft.unsettled:
            self._look_at_waiting(task)

    def _enter(self, key: ListKey, position: int) -> None:
        opened = self.draft.lists.get(key)
        if opened is None:
            return
        if position >= len(opened.steps):
            self._count_down(key)
            return
        if self._was_here(key, opened, position):
            self._count_down(key)
            return
        task = schedule(self.draft, key, opened, position)
        if task is not None and task.status.is_terminal:
            self.agenda.append(Settle(task.seq))
        elif task is not None:
            self._start(task)

    def _was_here(self, key: ListKey, opened: OpenList, position: int) -> bool:
        """True when another flow of this list has reached the place before: this one ends here."""
        seq = self.draft.latest.get(opened.ref_of(opened.steps[position]) + opened.suffix)
        there = None if seq is None else self.draft.tasks[seq]
        return there is not None and (there.parent, there.branch, there.position) == (*key, position)

    def _start(self, task: Task) -> None:
        place = place_of(self.draft, task)
        if place is not None:
            self.carry_out(task, place.kind.start(place))

    def start_again(self, task: Task) -> None:
        """Start a further attempt whose delay has passed, or whose step an operator wants again."""
        self._start(task)

    # what happens when tasks end

    def _settle(self, task: Task) -> None:
        draft = self.draft
        if task.executed or task.retried or not task.status.is_terminal:
            return
        if self._has_attached_list(task):
            return
        if task.status.is_successful:
            self.pass_by(task)
            return
        config = draft.plans[task.seq].step
        if may_retry(config, task):
            spent = total_time_spent(config, task, draft.now)
            if spent is None:
                self._retry(task)
                return
            if not config.optional and not config.permissive:
                fail(draft, task, spent, framed=False)
                return
        if config.optional:
            self.pass_by(draft.change(task, status=TaskStatus.COMPLETED_WITH_ERRORS))
        elif config.permissive:
            self.pass_by(task)
        else:
            fail(draft, task, task.reason)

    def _retry(self, task: Task) -> None:
        config = self.draft.plans[task.seq].step
        again = schedule_retry(self.draft, task, retry_at(definition_of(config, task), task, self.draft.now))
        if again.visible_at <= self.draft.now:
            self._start(again)

    def pass_by(self, task: Task) -> None:
        """Let the flow go on behind a task, and tell whoever waits for it."""
        draft = self.draft
        task = draft.change(task, executed=True)
        waiting = draft.waiters.get(task.ref)
        if waiting is not None:
            for seq in waiting:
                left = draft.unsettled.get(seq)
                if left is not None:
                    draft.unsettled[seq] = left - 1
                    self._look_at_waiting(draft.tasks[seq])
            draft.waiters.drop(task.ref)
        self.agenda.append(Enter((task.parent, task.branch), task.position + 1))

    # lists

    def _has_attached_list(self, task: Task) -> bool:
        """True while a list that the flow has to go through before passing this task is live (a chosen case)."""
        plan = self.draft.plans[task.seq]
        if plan.kind.detached or not plan.opens_lists:
            return False
        return any((task.seq, branch.name) in self.draft.lists for branch in plan.kind.branches(plan.step, task))

    def _open_lists(self, task: Task) -> None:
        """Enter what a task has opened before anything else, so that its references are taken from then on."""
        opened = [Enter(key, 0) for key in carry.newly_opened(self.draft, task)]
        self.agenda.extendleft(reversed(opened))

    def _count_down(self, key: ListKey) -> None:
        """One thing less is live in this list; when it was the last, the list has ended."""
        draft = self.draft
        opened = draft.lists[key]
        if opened.live > 1:
            draft.lists[key] = replace(opened, live=opened.live - 1)
            return
        if key == ROOT:
            draft.lists.drop(key)
            complete(draft)
            return
        draft.lists.drop(key)
        owner = draft.tasks[key[0]]
        if draft.plans[owner.seq].kind.detached:
            self._branch_of_fork_ended(owner)
        elif owner.executed:
            self._count_down((owner.parent, owner.branch))
        elif owner.status.is_terminal:
            self.agenda.append(Settle(owner.seq))
        else:
            self._lists_ended(owner)

    def _lists_ended(self, owner: Task) -> None:
        place = place_of(self.draft, owner)
        if place is not None:
            self.carry_out(owner, place.kind.branch_ended(place))

    def _branch_of_fork_ended(self, fork: Task) -> None:
        draft = self.draft
        left = (draft.forks.get(fork.seq) or 1) - 1
        draft.forks[fork.seq] = left
        waiting = draft.joins.get(fork.seq)
        if waiting is not None and waiting in draft.unsettled and self._is_ready(draft.tasks[waiting]):
            self._ask_waiting(draft.tasks[waiting])
        self._count_down((fork.parent, fork.branch))

    # joins

    def _is_ready(self, task: Task) -> bool:
        """True when nothing more can come: what is awaited has settled, or stands where no branch has gone."""
        draft = self.draft
        if not draft.unsettled.get(task.seq):
            return True
        place = place_of(draft, task)
        before = place.previous() if place is not None else None
        if place is None or before is None or draft.forks.get(before[1].seq) != 0:
            return False
        inside = {step.task_reference_name for _, step in steps_within((before[0],))}
        for ref in place.kind.awaits(place.config, task) or ():
            there = place.latest(ref + place.suffix)
            if not (ref in inside if there is None else there.executed):
                return False
        return True

    def _look_at_waiting(self, task: Task) -> None:
        """Ask a task that waits whether what it waited for has come, all of it or enough."""
        if self._is_ready(task):
            self._ask_waiting(task)
            return
        place = place_of(self.draft, task)
        step = None if place is None else place.kind.settled_early(place)
        if place is not None and step is not None:
            self._stop_waiting(place)
            self.agenda.append(Carry(task.seq, step))

    def _ask_waiting(self, task: Task) -> None:
        draft = self.draft
        place = place_of(draft, task)
        if place is None or not task.status.is_open:
            return
        self._stop_waiting(place)
        kind = place.kind
        found = (place.latest(ref + place.suffix) for ref in kind.awaits(place.config, task) or ())
        joined = [(draft.plans[each.seq].step, each) for each in found if each is not None]
        self.agenda.append(Carry(task.seq, kind.settled(place, joined)))

    def _stop_waiting(self, place: Place) -> None:
        draft, seq = self.draft, place.task.seq
        draft.unsettled.drop(seq)
        for ref in place.kind.awaits(place.config, place.task) or ():
            others = tuple(each for each in draft.waiters.get(ref + place.suffix) or () if each != seq)
            if others:
                draft.waiters[ref + place.suffix] = others
            else:
                draft.waiters.drop(ref + place.suffix)
        before = place.previous()
        if before is not None:
            draft.joins.drop(before[1].seq)

    # safety

    def pick_up(self) -> None:
        """Put on the agenda whatever the rows show as left lying: after a spent budget, a pause, or a reload."""
        draft = self.draft
        if not draft.flows:
            return
        if ROOT not in draft.lists:
            complete(draft)
            return
        reached: dict[ListKey, Task] = {}
        pending: list[Task] = []
        for seq in draft.tasks:
            task = draft.tasks[seq]
            key = (task.parent, task.branch)
            if key in draft.lists and not task.retried:
                there = reached.get(key)
                if there is None or (task.position, task.seq) > (there.position, there.seq):
                    reached[key] = task
                if not task.executed:
                    pending.append(task)
        for key in draft.lists:
            last = reached.get(key)
            following = 0 if last is None else last.position + 1
            if (last is None or last.executed) and following < len(draft.lists[key].steps):
                self.agenda.append(Enter(key, following))
        for task in pending:
            self._pick_up_task(task)

    def _pick_up_task(self, task: Task) -> None:
        draft = self.draft
        if task.status.is_terminal:
            self.agenda.append(Settle(task.seq))
        elif task.status is TaskStatus.SCHEDULED and not task.dispatched:
            if task.visible_at <= draft.now and task.slot is not Slot.WAITING:
                self._start(task)
        elif task.seq in draft.unsettled:
            self._look_at_waiting(task)
        else:
            self._pick_up_container(task)

    def _pick_up_container(self, task: Task) -> None:
        config = self.draft.plans[task.seq].step
        if task_type(config.type).branches(config, task) and not self._has_attached_list(task):
            self.agenda.append(Ended(task.seq))

    def _check_something_moves(self) -> None:
        """Fail a run in which nothing is left that could ever move it (invariant I4)."""
        draft = self.draft
        if len(draft.open) > len(draft.unsettled) + len(draft.holding):
            return
        waiting = [draft.tasks[seq] for seq in draft.unsettled]
        if not waiting:
            raise AssertionError(f"workflow {draft.workflow.id} is RUNNING and has no open task")
        task = waiting[0]
        place = place_of(draft, task)
        awaited = task_type(task.type).awaits(draft.plans[task.seq].step, task) or ()
        found = {ref: place.latest(ref + place.suffix) if place is not None else None for ref in awaited}
        missing = ", ".join(ref for ref, there in found.items() if there is None or not there.executed)
        reason = f"{task.ref} waits for {missing}, which nothing in the workflow can bring about any more"
        draft.change(task, status=TaskStatus.FAILED, reason=reason, ended_at=draft.now)
        fail(draft, draft.tasks[task.seq], reason)
