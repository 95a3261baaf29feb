"""The run as operations see it: their view of a draft and its walk."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from engine.clock import Instant
from engine.decider import apply
from engine.decider.admission import admit
from engine.decider.deadline import note_all_dates
from engine.decider.draft import Removal
from engine.decider.ending import end, tell_parent_again
from engine.decider.execution import misfit
from engine.decider.notices import tell
from engine.decider.place import place_of
from engine.decider.rewind import Return, clear_way, live_place, schedule_with, settle_in, take_out, unwind
from engine.decider.schedule import schedule_retry
from engine.decider.schema import input_mismatch
from engine.decider.template_input import with_template
from engine.decider.walk import Walk
from engine.model.command import Announce, AskChild, PassOn, RerunChild, RetryChild, ReviveParent
from engine.model.definition import WorkflowDef, WorkflowTask
from engine.model.event import TaskResult
from engine.model.execution import NEVER, Task, Workflow
from engine.model.payload import Json, JsonObject
from engine.model.question import DefinitionOf, Found, WayTo
from engine.model.request import Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.tasks import task_type


class OpenDesk:
    """One run, open for an operation; implements ``operations.desk.Desk``."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._draft = walk.draft
        self.now: Instant = walk.draft.now
        self._reopened = False
        self._again: list[int] = []
        self._returns: list[Return] = []
        self._wanted: list[tuple[Return, JsonObject | None]] = []

    @property
    def workflow(self) -> Workflow:
        """The run's record."""
        return self._draft.workflow

    def tasks(self) -> Iterator[Task]:
        """Yield every attempt, in the order of scheduling."""
        return (self._draft.tasks[seq] for seq in sorted(self._draft.tasks))

    def open_tasks(self) -> Iterator[Task]:
        """Yield the open tasks, in the order of scheduling."""
        return (self._draft.tasks[seq] for seq in sorted(self._draft.open))

    def task(self, seq: int) -> Task | None:
        """Return the task with that seq."""
        return self._draft.tasks.get(seq)

    def config(self, task: Task) -> WorkflowTask:
        """Return the step that a task carries out."""
        return self._draft.plans[task.seq].step

    def takes_signal(self, task: Task) -> bool:
        """True when a signal may complete the task."""
        return task_type(self.config(task).type).takes_signal

    def is_container(self, task: Task) -> bool:
        """True for what is reopened rather than attempted again."""
        return task_type(self.config(task).type).reopens

    def takes_messages(self, task: Task) -> bool:
        """True when the open task waits for a message."""
        return task_type(self.config(task).type).takes_messages

    def hand_over_messages(self, task: Task) -> None:
        """Let a task that waits for messages take what is there."""
        place = place_of(self._draft, task)
        if place is not None:
            self._walk.carry_out(task, task_type(self.config(task).type).message_came(place))

    @property
    def messages_limit(self) -> tuple[int, int]:
        """How many messages may wait in a run, and how large they may be together, as JSON."""
        limits = self._draft.surroundings.limits
        return limits.messages, limits.messages_bytes

    @property
    def variables_limit_bytes(self) -> int:
        """How large the variables of a run may be together, as JSON."""
        return self._draft.surroundings.limits.variables_bytes

    def end_delay(self, task: Task) -> None:
        """Let a task that waits for its delivery be handed out as soon as the flow goes on."""
        self._draft.change(task, visible_at=self.now, callback_after_seconds=0)

    @property
    def definition(self) -> WorkflowDef:
        """What the run goes by."""
        return self._draft.definition

    def use_definition(self, version: int | None, *, keep_tasks: bool) -> str | None:
        """Have the run go by a registered definition of its workflow; return why that cannot be.

        With ``keep_tasks``, every task that is part of the flow must have its step where it was.
        """
        found = self._draft.ask(DefinitionOf(self.workflow.name, version))
        if isinstance(found, Found):
            stray = misfit(self.workflow, self.tasks(), found.definition) if keep_tasks else None
            if stray is not None:
                return (
                    f"Version {found.definition.version} of {self.workflow.name} has no {stray.type} step {stray.ref} "
                    "where this run has one: what a run has come to must stay in its place"
                )
            self._draft.definition, self._reopened = found.definition, True
            self._draft.change_workflow(definition_hash=found.hash, version=found.definition.version)
        return found if isinstance(found, str) else None

    def take_input(self, given: JsonObject) -> str | None:
        """Have the run go on with another input; return what is wrong with it."""
        whole = with_template(given, self.definition.input_template)
        wrong = input_mismatch(self.definition, whole)
        if wrong is None:
            self._draft.change_workflow(input=whole)
        return wrong

    def change_workflow(self, **fields: Json) -> Workflow:
        """Change the run's record; a new status is announced."""
        before = self._draft.workflow.status
        workflow = self._draft.change_workflow(**fields)
        if workflow.status is not before:
            self._draft.command(Announce(0, workflow.status.value))
        if before.is_terminal and not workflow.status.is_terminal:
            admit(self._draft)
        return self._draft.workflow

    def tell(self, event: str) -> None:
        """Tell the listeners of the run what was done to it."""
        tell(self._draft, event)

    def apply(self, result: TaskResult) -> bool:
        """Apply a task result as if a worker had sent it."""
        applied = apply.task_result(self._walk, result)
        self._walk.to_rest()
        return applied

    def pass_on(self, request: Request) -> None:
        """Send a request to another run."""
        self._draft.command(PassOn(request))

    def end(self, status: WorkflowStatus, reason: str | None, *, failure_workflow: bool = False) -> None:
        """End the run; its failure workflow is started only if that is wanted."""
        end(self._draft, status, reason, failure_workflow=failure_workflow)

    def reopen(self, task: Task) -> None:
        """Put a closed container back to IN_PROGRESS."""
        self._reopened = True
        self._draft.change(
            task,
            status=TaskStatus.IN_PROGRESS,
            executed=False,
            reason=None,
            ended_at=NEVER,
            updated_at=self.now,
            due_at=NEVER,
        )

    def attempt_again(self, task: Task) -> None:
        """Give a closed task a further attempt once the flow goes on."""
        self._draft.change(task, executed=False)
        self._again.append(task.seq)

    def take_all_out(self) -> None:
        """Take every task out of the flow: the run begins anew."""
        take_out(self._draft, tuple(self._draft.tasks))
        self._reopened = True

    def go_back_to(self, task: Task, given: JsonObject | None = None) -> None:
        """Have a task, and all that the flow did behind it, done over; with this input instead of its parameters."""
        there = unwind(self._draft, task, keep=False)
        self._returns.append(there)
        if given is not None:
            self._wanted.append((there, given))
        self._reopened = True

    def go_back_behind(self, task: Task) -> None:
        """Have all done over that the flow did behind a task."""
        self._returns.append(unwind(self._draft, task, keep=True))
        self._reopened = True

    def jump_to(self, ref: str, given: JsonObject | None) -> bool:
        """Have the flow of a list go on at a step in it; False when no list that the flow is in has such a step."""
        there = live_place(self._draft, ref)
        if there is None:
            return False
        clear_way(self._draft, there)
        self._wanted.append((there, given))
        self._reopened = True
        return True

    def way_to(self, task_id: str) -> tuple[str, ...]:
        """Return the ids of the tasks that lead to a task of a run below this one, that task last."""
        return self._draft.ask(WayTo(self.workflow.id, task_id)) or ()

    def remove(self, *, archive: bool) -> None:
        """Have the run's rows deleted."""
        self._draft.removal = Removal(archive)

    def look_afresh(self) -> None:
        """Have everything derived anew from the rows before the flow goes on."""
        self._reopened = True

    def has_child(self, task: Task) -> bool:
        """True when the task waited for the end of a child run."""
        return task.child_id is not None and task_type(self.config(task).type).awaits_child

    def wait_for_child(self, task: Task) -> None:
        """Reopen a closed task whose child goes on, and ask the child again: it may have ended meanwhile."""
        self.reopen(task)
        self._draft.command(AskChild(task.seq))

    def retry_child(self, task: Task) -> None:
        """Reopen a closed task and ask its child to go on."""
        self.reopen(task)
        self._draft.command(RetryChild(task.seq))

    def rerun_child(self, task: Task, arguments: JsonObject) -> None:
        """Reopen a closed task and ask its child to go back to a task of its own."""
        self.reopen(task)
        self._draft.command(RerunChild(task.seq, arguments))

    def revive_parent(self) -> None:
        """Let the parent know that the run goes on."""
        if self.workflow.parent_id is not None:
            self._draft.command(ReviveParent())

    def tell_parent_again(self, request: Request) -> None:
        """Send the parent the news of the run's end another time."""
        tell_parent_again(self._draft, request.event_id)

    def is_within_reach(self, task: Task) -> bool:
        """True unless the flow has left the task's list for good: the loop around it has gone on or ended."""
        while task.parent:
            owner = self._draft.tasks[task.parent]
            kind, open_again = task_type(self.config(owner).type), replace(owner, status=TaskStatus.IN_PROGRESS)
            present = (branch.name for branch in kind.branches(self.config(owner), open_again))
            if (kind.reopens and owner.executed) or task.branch not in present:
                return False
            task = owner
        return True

    def go_on(self) -> None:
        """Let the flow go on from the rows as they are now."""
        if self._reopened or self._again:
            self._draft.rebuild()
        for there in self._returns:
            settle_in(self._draft, there)
        for seq in self._again:
            schedule_retry(self._draft, self._draft.tasks[seq], self.now)
        for there, given in self._wanted:
            schedule_with(self._draft, there, given)
        self._again, self._returns, self._wanted, self._reopened = [], [], [], False
        self._walk.pick_up()
        self._walk.to_rest()
        if not self._draft.has_ended():
            note_all_dates(self._draft)
