"""The one mutable thing inside ``decide``: a run with changes laid over it, and the commands that go with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from engine.clock import Instant
from engine.decider.execution import Execution, ListKey, OpenList, restore
from engine.decider.layer import CountedLayer, Layer
from engine.decider.plan import Plan
from engine.errors import BatonError
from engine.model.command import Command, SeeToSlot
from engine.model.definition import TaskDef, WorkflowTask
from engine.model.execution import NEVER, Task, Workflow
from engine.model.payload import Json, JsonObject
from engine.model.question import KeptResult, Question
from engine.model.status import TASK_TRANSITIONS, WORKFLOW_TRANSITIONS, Slot, TaskStatus, WorkflowStatus
from engine.tasks.limits import Limits


class IllegalMove(BatonError):
    """A status that may not follow the present one; a fault of the engine, never of its users."""


class Turn(Struct, frozen=True):
    """A task whose status has changed, from ``before`` (None: it is new)."""

    seq: int
    before: TaskStatus | None
    status: TaskStatus


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a decision may know beside the run itself."""

    #: Registered task definitions, for names that are only found out while the run goes on.
    task_defs: dict[str, TaskDef] = {}
    #: When each task queue was last seen without ready messages.
    queues_seen_empty: dict[str, Instant] = {}
    #: Values for ``${workflow.env.…}``.
    environment: dict[str, Json] = {}
    limits: Limits = Limits()
    #: Steps of the flow that one decision may take before it saves and goes on later.
    step_budget: int = 20_000
    #: New rows after which a run is looked through for those that nobody wants any more.
    forget_after_tasks: int = 64
    #: Seconds after which a task that nobody was ever heard of ends, where its definition sets no response timeout.
    unheard_timeout_seconds: float = 3_600.0
    #: How often a task may be begun anew within one attempt, because whoever had it was lost.
    redelivery_limit: int = 3
    #: Definitions may keep system tasks apart, in queues of their own.
    isolated_queues: bool = True
    #: Statuses of tasks of which listeners are told.
    told_statuses: frozenset[TaskStatus] = frozenset()
    #: What is known of all that decisions have asked about so far.
    answers: Mapping[Question, Json] = {}


class Removal(Struct, frozen=True):
    """How a run is removed: ``archive`` keeps what can be read of it."""

    archive: bool


class Draft:
    """A run being decided upon. Nothing of it reaches the ``Execution`` beneath until ``fold``."""

    __slots__ = (
        "asked_after",
        "awaited",
        "base",
        "commands",
        "counted",
        "definition",
        "dropped",
        "earlier",
        "effort",
        "first_new",
        "forgotten",
        "forks",
        "holding",
        "joins",
        "latest",
        "lists",
        "loaded",
        "named",
        "now",
        "open",
        "plans",
        "questions",
        "removal",
        "results",
        "stale",
        "steps",
        "superseded",
        "surroundings",
        "tasks",
        "touched",
        "turns",
        "unfinished",
        "unsettled",
        "waiters",
        "workflow",
    )

    def __init__(self, base: Execution, now: Instant, surroundings: Surroundings) -> None:
        self.definition = base.definition
        self.now = now
        self.surroundings = surroundings
        #: Tasks written by this decision; those with a seq above ``first_new`` are new rows.
        self.touched: dict[int, None] = {}
        self.first_new = base.workflow.last_seq
        #: The run's record as it was.
        self.loaded = base.workflow
        self.commands: list[Command] = []
        #: Ids of events that would count once more if they were applied once more, though they may command nothing.
        self.counted: set[str] = set()
        #: What has become of tasks that somebody listens to, until the listeners are told.
        self.turns: list[Turn] = []
        #: What tasks wait for from outside from now on; None for those that have ended.
        self.awaited: dict[int, JsonObject | None] = {}
        #: What it would have to know and does not; only the answers make it the decision that counts.
        self.questions: dict[Question, None] = {}
        #: Rows that were taken out of the flow, with the steps that they carried out.
        self.superseded: dict[int, tuple[Task, WorkflowTask]] = {}
        #: Stored rows that are to be deleted: nobody wants them any more.
        self.forgotten: list[int] = []
        #: What is to be kept for later tasks: the output, and for how many seconds.
        self.results: dict[KeptResult, tuple[JsonObject, int]] = {}
        #: Facts that no longer fitted (late, duplicate, of a closed task).
        self.dropped = 0
        #: What evaluating expressions and conditions has cost so far, in steps of ``expression.budget``.
        self.effort = 0
        #: The run's record as it was before rows were taken out of the flow.
        self.earlier: Workflow | None = None
        #: The run's rows are to be deleted; whether they are archived first.
        self.removal: Removal | None = None
        #: Steps of the flow so far, and how many there were when the first question was asked.
        self.steps = 0
        self.asked_after = 0
        #: The step budget was spent: what is left is found again from the rows.
        self.unfinished = False
        #: It was stopped half a step on once more: what is derived has to be derived anew before it is kept.
        self.stale = False
        self._lay_over(base)

    def _lay_over(self, base: Execution) -> None:
        self.base = base
        self.workflow: Workflow = base.workflow
        self.tasks: Layer[int, Task] = Layer(base.tasks)
        self.plans: Layer[int, Plan] = Layer(base.plans)
        self.latest: Layer[str, int] = Layer(base.latest)
        self.named: Layer[str, int] = Layer(base.named)
        self.open: CountedLayer[int, None] = CountedLayer(base.open)
        self.holding: CountedLayer[int, None] = CountedLayer(base.holding)
        self.lists: Layer[ListKey, OpenList] = Layer(base.lists)
        self.forks: Layer[int, int] = Layer(base.forks)
        self.joins: Layer[int, int] = Layer(base.joins)
        self.unsettled: CountedLayer[int, int] = CountedLayer(base.unsettled)
        self.waiters: Layer[str, tuple[int, ...]] = Layer(base.waiters)

    def rebuild(self) -> None:
        """Derive everything anew from the rows as they are now: some were reopened, or the flow was stopped on its way.

        The run beneath stays as it was; ``base`` is a new one from here on.
        """
        rows = [self.tasks[seq] for seq in sorted(self.tasks)]
        self._lay_over(restore(self.workflow, rows, self.definition))
        self.stale = False

    def refresh(self) -> None:
        """Derive everything anew where the flow was stopped on its way after that had been done."""
        if self.stale and not self.has_ended():
            self.rebuild()

    def ask(self, question: Question) -> Json:
        """Return the answer to a question, None as long as nobody has looked for it."""
        answers = self.surroundings.answers
        if question not in answers:
            self.asked_after = self.asked_after if self.questions else self.steps
            self.questions[question] = None
        return answers.get(question)

    def has_ended(self) -> bool:
        """True once the run has an end, also one reached in this very decision."""
        return self.workflow.status.is_terminal

    @property
    def flows(self) -> bool:
        """True while the flow may go on: the run has not ended, is not paused, and waits for no slot of its key."""
        return self.workflow.status is WorkflowStatus.RUNNING and self.workflow.slot is not Slot.WAITING

    def command(self, command: Command) -> None:
        """Want this done once the decision is stored."""
        self.commands.append(command)

    def take_commands(self) -> tuple[Command, ...]:
        """Return what the last fact led to, and start anew for the next."""
        taken = tuple(self.commands)
        self.commands = []
        return taken

    def add(self, task: Task, plan: Plan, plain_ref: str) -> Task:
        """Write a new row."""
        self.workflow = msgspec.structs.replace(self.workflow, last_seq=task.seq)
        self.plans[task.seq] = plan
        self.latest[task.ref] = task.seq
        if plain_ref != task.ref:
            self.named[plain_ref] = task.seq
        return self.put(task)

    def put(self, task: Task) -> Task:
        """Write a row as it is now; one that is closed gives back its slot, or its place in the line for one."""
        if task.slot is not Slot.NONE and task.status.is_terminal:
            task = msgspec.structs.replace(task, slot=Slot.NONE)
            self.command(SeeToSlot(task.seq))
        seq, plan = task.seq, self.plans[task.seq]
        if plan.is_told or self.surroundings.told_statuses:
            self._note_turn(task)
        self.tasks[seq] = task
        self.touched[seq] = None
        if task.status.is_open:
            self.open[seq] = None
            return task
        self.open.drop(seq)
        if plan.awaits_tasks:
            self.unsettled.drop(seq)
        if plan.opens_lists:
            self.holding.drop(seq)
        if plan.kind.awaits_events:
            self.awaited[seq] = None
        return task

    def _note_turn(self, task: Task) -> None:
        known = self.tasks.get(task.seq)
        before = None if known is None else known.status
        if before is not task.status:
            self.turns.append(Turn(task.seq, before, task.status))

    def change(self, task: Task, **fields: Json) -> Task:
        """Write a row with some fields changed; a new status must be one that may follow."""
        status: TaskStatus | None = fields.get("status")
        changed = msgspec.structs.replace(task, **fields)
        if status is None or status is task.status:
            # It stands where it stood, so nothing that follows from that has changed.
            self.tasks[task.seq] = changed
            self.touched[task.seq] = None
            return changed
        if status not in TASK_TRANSITIONS[task.status]:
            raise IllegalMove(f"Task {task.id} ({task.ref}) cannot go from {task.status} to {status}")
        return self.put(changed)

    def change_workflow(self, **fields: Json) -> Workflow:
        """Change the run's own record; a new status must be one that may follow."""
        status: WorkflowStatus | None = fields.get("status")
        present = self.workflow.status
        if status is not None and status is not present and status not in WORKFLOW_TRANSITIONS[present]:
            raise IllegalMove(f"Workflow {self.workflow.id} cannot go from {present} to {status}")
        self.workflow = msgspec.structs.replace(self.workflow, **fields)
        if status is not None and status.is_terminal and not present.is_terminal:
            self._leave_line()
        return self.workflow

    def stand_in_line(self, key: str) -> None:
        """Have the run wait for a slot of this key: nothing of it goes on until then."""
        number = self.workflow.slot_no + 1
        self.workflow = msgspec.structs.replace(self.workflow, rate_limit_key=key, slot=Slot.WAITING, slot_no=number)
        self.command(SeeToSlot(-number))

    def _leave_line(self) -> None:
        """Give back the run's slot, or its place in the line for one."""
        if self.workflow.slot is not Slot.NONE:
            self.workflow = msgspec.structs.replace(self.workflow, slot=Slot.NONE)
            self.command(SeeToSlot(-self.workflow.slot_no))

    def supersede(self, seqs: Iterable[int]) -> None:
        """Take closed rows out of the flow; whoever does it has everything derived anew afterwards (``rebuild``)."""
        if self.earlier is None:
            self.earlier = self.workflow
        for seq in seqs:
            self.superseded[seq] = self.tasks[seq], self.plans[seq].step
            self.tasks.drop(seq)
            self.touched.pop(seq, None)

    def forget(self, seqs: Iterable[int]) -> None:
        """Take closed rows out of the run for good; whoever does it has everything derived anew afterwards."""
        for seq in seqs:
            self.tasks.drop(seq)
            self.touched.pop(seq, None)
            if seq <= self.first_new:
                self.forgotten.append(seq)

    def written(self, seq: int) -> tuple[Task, WorkflowTask]:
        """Return a row that this decision has dealt with, and its step, whether it is still part of the flow or not."""
        return self.superseded.get(seq) or (self.tasks[seq], self.plans[seq].step)

    def wake_by(self, moment: Instant) -> None:
        """Make sure that the run is looked at by then; an earlier date stays."""
        wake_at = self.workflow.wake_at
        if moment != NEVER and (wake_at == NEVER or moment < wake_at):
            self.workflow = msgspec.structs.replace(self.workflow, wake_at=moment)

    def fold(self, workflow: Workflow) -> None:
        """Make the stored decision the run's present state; ``workflow`` is its record as stored."""
        self.tasks.fold()
        self.plans.fold()
        self.latest.fold()
        self.named.fold()
        self.open.fold()
        self.holding.fold()
        self.lists.fold()
        self.forks.fold()
        self.joins.fold()
        self.unsettled.fold()
        self.waiters.fold()
        self.base.workflow = workflow
        self.base.fresh = self.unfinished
