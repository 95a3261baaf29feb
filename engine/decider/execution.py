"""A run as the decider sees it: its rows, and what follows from them so that no decision has to look at all of them.

The rows are the truth; everything else here is derived and can be rebuilt by ``restore``. A *list* is a sequence of
steps that runs somewhere: the workflow's own, a case, a branch, the body of a loop's iteration. It is named by the
seq of the task that opened it and the branch's name; the workflow's own list is ``ROOT``.

A list is *live* while its flow has not passed its end, or while a detached branch opened in it (a fork's) is live.
The count kept for it is 1 for the flow and 1 for each live detached branch. When it falls to 0 the list has ended and
the task that opened it is told: so neither a join, nor a loop, nor the workflow ever looks through its tasks.

A retry can start a second flow behind the first one's back, from a permissive failure. It counts by itself and ends
where it meets a step that the first has reached; a list revived that way counts in the list around it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from msgspec.structs import replace

from engine.decider.plan import Plan, plan_of
from engine.model.definition import WorkflowDef, WorkflowTask
from engine.model.execution import Task, Workflow
from engine.model.status import TaskStatus
from engine.tasks import task_type
from engine.tasks.step import Branch

#: (seq of the task that opened it, name of the branch)
ListKey: TypeAlias = tuple[int, str]

ROOT: ListKey = (0, "")


class OpenList(Branch, frozen=True, kw_only=True, gc=False):
    """A live list: the branch that runs in it, with the whole loop suffix of its references, and its count."""

    live: int

    def ref_of(self, config: WorkflowTask) -> str:
        """Return the plain reference name of a step in this list: a branch made from a template has its own."""
        return self.ref or config.task_reference_name


def list_of(branch: Branch, around: str) -> OpenList:
    """Return the list of a branch whose flow has just begun, in a list with the loop suffix ``around``."""
    return OpenList(
        name=branch.name,
        steps=branch.steps,
        suffix=around + branch.suffix,
        iteration=branch.iteration,
        ref=branch.ref,
        data=branch.data,
        is_element=branch.is_element,
        live=1,
    )


class Execution:
    """One run in memory; owned by one holder, changed only by folding in a decision that has been stored."""

    __slots__ = (
        "definition",
        "forks",
        "fresh",
        "holding",
        "joins",
        "latest",
        "lists",
        "named",
        "open",
        "plans",
        "tasks",
        "unsettled",
        "waiters",
        "workflow",
    )

    def __init__(self, workflow: Workflow, definition: WorkflowDef) -> None:
        self.workflow = workflow
        self.definition = definition
        #: Just rebuilt from its rows: the next decision first makes sure that nothing was left lying.
        self.fresh = True
        #: Every attempt of every task by seq.
        self.tasks: dict[int, Task] = {}
        #: The step of the definition that each task carries out, and what follows from it.
        self.plans: dict[int, Plan] = {}
        #: Full reference name (with loop suffix) -> seq of its last attempt.
        self.latest: dict[str, int] = {}
        #: Plain reference name of what runs in loops -> seq of the last task under it, whatever the iteration: what
        #: ``${ref…}`` means. All others stand in ``latest``.
        self.named: dict[str, int] = {}
        #: Tasks that are SCHEDULED or IN_PROGRESS.
        self.open: dict[int, None] = {}
        #: Open tasks that move only when the lists they opened have ended (loops).
        self.holding: dict[int, None] = {}
        self.lists: dict[ListKey, OpenList] = {}
        #: Fork -> how many of its branches are live.
        self.forks: dict[int, int] = {}
        #: Fork -> the open task that waits behind it.
        self.joins: dict[int, int] = {}
        #: Waiting task -> how many of its references have not settled.
        self.unsettled: dict[int, int] = {}
        #: Reference -> tasks that wait for it.
        self.waiters: dict[str, tuple[int, ...]] = {}


def restore(workflow: Workflow, tasks: Iterable[Task], definition: WorkflowDef) -> Execution:
    """Rebuild a run from its stored rows (``tasks`` in the order of seq)."""
    execution = Execution(workflow, definition)
    _Restoring(execution).run(tasks)
    return execution


def misfit(workflow: Workflow, tasks: Iterable[Task], definition: WorkflowDef) -> Task | None:
    """Return the first of a run's tasks that another definition has no such step for in its place, None if it fits."""
    scratch = _Restoring(Execution(workflow, definition))
    for task in tasks:
        try:
            fits = scratch.fits(task)
        except Exception:  # a branch, case or position that is not there, found out deep inside a task type
            fits = False
        if not fits:
            return task
    return None


def steps_of(workflow: Workflow, tasks: Iterable[Task], definition: WorkflowDef) -> dict[int, WorkflowTask]:
    """Return the steps that some of a run's tasks carry out, by seq; those that opened their lists must be among them.

    What leads nowhere (a task type was uninstalled, say) has a step of its name and type.
    """
    scratch = _Restoring(Execution(workflow, definition))
    return {task.seq: scratch.step_of(task) for task in tasks}


def salvage(workflow: Workflow, tasks: Iterable[Task], definition: WorkflowDef) -> Execution:
    """Return a run whose rows make no sense (a task type was uninstalled, say) with just enough in it to be ended."""
    execution = Execution(workflow, definition)
    for task in tasks:
        execution.tasks[task.seq] = task
        execution.plans[task.seq] = plan_of(WorkflowTask(name=task.name, type=task.type))
        if task.status.is_open:
            execution.open[task.seq] = None
    return execution


class _Restoring:
    """The scratch paper of one ``restore``."""

    def __init__(self, execution: Execution) -> None:
        self._run = execution
        #: Every list that ever was, with its full suffix; ``live`` is counted afterwards.
        self._lists: dict[ListKey, OpenList] = {ROOT: OpenList(name="", steps=execution.definition.tasks, live=1)}
        #: Lists that a task's row still names: only these can be live.
        self._named: dict[ListKey, OpenList] = dict(self._lists)
        #: The last task in each list, and how many tasks in it are still to be passed.
        self._reached: dict[ListKey, Task] = {}
        self._pending: dict[ListKey, int] = {}

    def run(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self._adopt(task)
        self._count()
        for seq in self._run.open:
            self._find_waiting(self._run.tasks[seq])

    def _adopt(self, task: Task) -> None:
        run, key = self._run, (task.parent, task.branch)
        outer = self._lists.get(key) or self._left_list(task)
        config = outer.steps[task.position]
        run.tasks[task.seq] = task
        run.plans[task.seq] = plan_of(config)
        run.latest[task.ref] = task.seq
        if outer.suffix:
            run.named[outer.ref_of(config)] = task.seq
        if task.status.is_open:
            run.open[task.seq] = None
        before = self._reached.get(key)
        if before is None or task.position >= before.position:
            self._reached[key] = task
        if not task.executed and not task.retried:
            self._pending[key] = self._pending.get(key, 0) + 1
        kind = task_type(config.type)
        if kind.detached and task.status is TaskStatus.SKIPPED:
            # Also a fork that would have made its branches only when it was carried out.
            run.forks[task.seq] = 0
        may_be_live = key in self._named and (task.status.is_open or task.status is TaskStatus.COMPLETED)
        for branch in kind.branches(config, task):
            inner = list_of(branch, outer.suffix)
            self._lists[task.seq, branch.name] = inner
            if may_be_live:
                self._named[task.seq, branch.name] = inner
            if kind.detached:
                run.forks[task.seq] = 0

    def step_of(self, task: Task) -> WorkflowTask:
        """Take a row in; return its step."""
        try:
            self._adopt(task)
        except Exception:  # a branch, case or position that is not there, found out deep inside a task type
            return WorkflowTask(name=task.name, type=task.type)
        return self._run.plans[task.seq].step

    def fits(self, task: Task) -> bool:
        """Take a row in; False when the step in its place is another one."""
        self._adopt(task)
        outer, config = self._lists[task.parent, task.branch], self._run.plans[task.seq].step
        return (outer.ref_of(config) + outer.suffix, config.type) == (task.ref, task.type)

    def _left_list(self, task: Task) -> OpenList:
        """Return the list of a task whose owner's row no longer names it: an earlier iteration, a container closed."""
        owner, config = self._run.tasks[task.parent], self._run.plans[task.parent].step
        outer = self._lists[owner.parent, owner.branch]
        branch = task_type(config.type).branch(config, owner, task.branch)
        left = list_of(branch, outer.suffix)
        self._lists[task.parent, task.branch] = left
        return left

    def _count(self) -> None:
        """Count what is live, innermost lists first: a list's count depends on the forks in it."""
        run = self._run
        beside: dict[ListKey, int] = {}
        for key in sorted(self._named, key=lambda each: each[0], reverse=True):
            known = self._named[key]
            live = beside.get(key, 0) + self._pending.get(key, 0) + self._may_go_further(key, known)
            if not live:
                continue
            run.lists[key] = known if live == known.live else replace(known, live=live)
            if key == ROOT:
                continue
            owner = run.tasks[key[0]]
            detached, outer = run.plans[owner.seq].kind.detached, (owner.parent, owner.branch)
            if detached or owner.executed:
                beside[outer] = beside.get(outer, 0) + 1
            if detached:
                run.forks[owner.seq] += 1
            elif owner.status.is_open:
                run.holding[owner.seq] = None

    def _may_go_further(self, key: ListKey, known: OpenList) -> bool:
        """True when the last task of a list has been passed and there are steps behind it, or none was reached yet."""
        last = self._reached.get(key)
        position = -1 if last is None else last.position
        return position + 1 < len(known.steps) and (last is None or last.executed)

    def _find_waiting(self, task: Task) -> None:
        run = self._run
        config = run.plans[task.seq].step
        refs = task_type(config.type).awaits(config, task)
        around = run.lists.get((task.parent, task.branch))
        if refs is None or around is None:
            return
        before = around.steps[task.position - 1] if task.position else None
        fork = None if before is None else run.latest.get(around.ref_of(before) + around.suffix)
        # Whoever has jumped to a join has no fork before it.
        if before is not None and fork is not None and task_type(before.type).detached:
            run.joins[fork] = task.seq
        unsettled, alone = 0, (task.seq,)
        for ref in refs:
            full = ref + around.suffix
            awaited = run.latest.get(full)
            if awaited is None or not run.tasks[awaited].executed:
                unsettled += 1
                others = run.waiters.get(full)
                run.waiters[full] = (*others, task.seq) if others else alone
        run.unsettled[task.seq] = unsettled
