"""What a task type may answer, and what it is shown when it is asked.

A type never changes anything itself. It is asked at few moments (its task starts, a list it opened has ended, the
tasks it waits for have settled, its date has come, its child has news) and answers with one ``Step``; the decider
carries the step out. So a type is one small file, and nothing outside this room knows its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from engine.clock import Instant
from engine.errors import Fault
from engine.model.definition import TaskDef, WorkflowTask
from engine.model.event import ChildEnded
from engine.model.execution import Task, Workflow
from engine.model.payload import Json, JsonObject
from engine.model.request import Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.tasks.limits import Limits


class Complete(Struct, frozen=True, kw_only=True):
    """The task is done; the flow moves on behind it."""

    output: JsonObject = {}
    status: TaskStatus = TaskStatus.COMPLETED
    reason: str | None = None
    #: Replaces what is stored as the task's input.
    input: JsonObject | None = None


class Fail(Struct, frozen=True, kw_only=True):
    """This attempt has failed; ``terminal`` means that no further attempt can mend it."""

    reason: str
    output: JsonObject = {}
    terminal: bool = False
    #: Overrides the status that ``terminal`` implies: CANCELED and TIMED_OUT children.
    status: TaskStatus | None = None


class HandOut(Struct, frozen=True, kw_only=True):
    """A worker carries the task out: publish it to this queue."""

    queue: str
    input: JsonObject | None = None
    #: True where task domains choose among several queues of workers (worker tasks, not system tasks).
    by_domain: bool = False


class Become(Struct, frozen=True, kw_only=True):
    """The task takes another one's name, and with it that one's definition, and goes on as that one does."""

    name: str
    step: Step


class HandOutLater(Struct, frozen=True, kw_only=True):
    """A worker has done its part and is to do it again within the same attempt, after so many seconds."""

    after_seconds: int
    #: What has come of it so far.
    output: JsonObject


class Hold(Struct, frozen=True, kw_only=True):
    """The task stays IN_PROGRESS until ``until``; without a date until somebody completes it."""

    until: Instant | None = None
    output: JsonObject | None = None
    #: Shown as the task's ``callbackAfterSeconds``, where that is not the time until the date.
    shown_seconds: int = 0
    #: Paths into an event from outside, each with what it must find there: then the task is done.
    awaits: JsonObject | None = None


class Open(Struct, frozen=True, kw_only=True):
    """Open the lists that ``TaskType.branches`` names for the task as it stands after this step.

    ``done`` completes the task at once. A ``detached`` task lets the flow go on while its branches run (a fork);
    otherwise the flow goes on when the last branch has ended (a switch) or when the type says so (a loop).
    """

    done: bool = True
    detached: bool = False
    output: JsonObject = {}
    input: JsonObject | None = None
    #: The loop's counter; also stored on the task's row.
    iteration: int | None = None


class Await(Struct, frozen=True, kw_only=True):
    """Wait until everything that ``TaskType.awaits`` names has settled, then ask ``TaskType.settled``."""

    input: JsonObject | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """Send the request that ``TaskType.request`` makes to a run; its answer is a report on this task."""


class Launch(Struct, frozen=True, kw_only=True):
    """Start another run as the task's input describes it."""

    input: JsonObject


class Assign(Struct, frozen=True, kw_only=True):
    """Write these variables of the workflow; the task is done."""

    variables: JsonObject


class TakeMessages(Struct, frozen=True, kw_only=True):
    """Take up to ``most`` of the messages that were sent to the run, the oldest first; the task is done with them."""

    most: int


class End(Struct, frozen=True, kw_only=True):
    """End the whole run with this status; the task itself is done."""

    status: WorkflowStatus
    output: JsonObject
    reason: str | None


class Abort(Struct, frozen=True, kw_only=True):
    """The definition cannot be carried out here: the run fails with this reason (Conductor's mapping errors)."""

    reason: str


Step: TypeAlias = (
    Complete
    | Fail
    | HandOut
    | Become
    | HandOutLater
    | Hold
    | Open
    | Await
    | Ask
    | Launch
    | Assign
    | TakeMessages
    | End
    | Abort
)


class Branch(Struct, frozen=True, kw_only=True, gc=False):
    """A list of steps opened under a task.

    ``name`` is unique among the task's lists; ``suffix`` is appended to the reference names inside. A branch made
    from data carries its own ``ref`` for its only step, and what is laid over the step's own input.
    """

    name: str
    steps: tuple[WorkflowTask, ...]
    suffix: str = ""
    iteration: int | None = None
    ref: str | None = None
    #: What is laid over the input of the step, as it is. It is the fork's own data, and not a copy: forks are wide.
    data: Json = None
    #: The data is an element of a list: one that is no map stands under ``input``, and its place under ``__index``.
    is_element: bool = False

    def laid_over(self, own: JsonObject) -> JsonObject:
        """Return the input of its step: what the branch was given, over the step's own."""
        if self.is_element:
            element = self.data if isinstance(self.data, Mapping) else {"input": self.data}
            return {**own, **element, "__index": int(self.name)}
        if not self.data:
            return own
        return {**own, **self.data} if own else self.data


class At(Protocol):
    """What a type sees of the run when it is asked."""

    config: WorkflowTask
    task: Task
    now: Instant

    @property
    def workflow(self) -> Workflow:
        """The run's record."""
        ...

    @property
    def limits(self) -> Limits:
        """What a condition may cost."""
        ...

    @property
    def suffix(self) -> str:
        """The loop suffix of the list in which the task stands: empty outside loops."""
        ...

    def substitute(self, value: Json) -> Json:
        """Return ``value`` with its ``${…}`` expressions replaced."""
        ...

    def look(self, value: Json) -> Json:
        """Return what ``substitute`` does, however large it is: to be looked at, and neither kept nor written."""
        ...

    def evaluate(self, evaluator_type: str, expression: str, given: JsonObject, names: JsonObject = ...) -> Json:
        """Return what a condition evaluates to, within the limits; see ``expression.script.evaluate``."""
        ...

    def latest(self, ref: str) -> Task | None:
        """Return the last attempt of the task with this full reference name."""
        ...

    def run(self, workflow_id: str, *, with_tasks: bool) -> JsonObject | str:
        """Return how the run of this id stands, as Conductor's Workflow object, or why that cannot be told."""
        ...

    def previous(self) -> tuple[WorkflowTask, Task] | None:
        """Return the step and task that stand before this one in its list."""
        ...

    def next_step(self) -> WorkflowTask | None:
        """Return the step behind this one in its list."""
        ...

    def task_def(self, name: str) -> TaskDef | None:
        """Return the registered task definition of that name."""
        ...


class TaskType:
    """A kind of task. A subclass says what is special about it; the defaults are those of a worker task."""

    #: The ``type`` written in definitions.
    name: ClassVar[str]
    #: Conductor's taskType in run objects where it is not ``name``.
    shown_as: ClassVar[str | None] = None
    #: Tasks show the type in place of the step's name (Conductor 6.2: FORK, JOIN, SWITCH).
    named_by_type: ClassVar[bool] = False
    #: Built-ins that are never tried again (Conductor 4.3.1).
    retriable: ClassVar[bool] = True
    #: TaskDef.inputTemplate applies (Conductor 2.7).
    takes_template: ClassVar[bool] = False
    #: The lists it opens run beside the flow (a fork) instead of within it.
    detached: ClassVar[bool] = False
    #: Its definition when none is registered; None means Conductor's ad-hoc definition without retries.
    default_definition: ClassVar[TaskDef | None] = None
    #: ``asyncComplete`` in the definition leaves the task open after its worker's success, for somebody else to end.
    may_complete_later: ClassVar[bool] = False
    #: Cancelling the task also ends what it started (queued work, a child run).
    stops_with_task: ClassVar[bool] = True
    #: What is stored as input wraps the evaluated one, so a further attempt starts from a fresh evaluation.
    wraps_input: ClassVar[bool] = False
    #: An operator's retry puts its row back to IN_PROGRESS instead of making a further attempt (joins, loops).
    reopens: ClassVar[bool] = False
    #: It may wait for events from outside (``Hold.awaits``).
    awaits_events: ClassVar[bool] = False
    #: Somebody may complete it by a signal (Conductor: WAIT; ours also HUMAN).
    takes_signal: ClassVar[bool] = False
    #: While it is open it waits for messages that are sent to the run.
    takes_messages: ClassVar[bool] = False
    #: The child run's end is awaited (SUB_WORKFLOW), not just its start.
    awaits_child: ClassVar[bool] = True
    #: A definition whose script cannot be read is refused, as by Conductor; elsewhere the task would fail.
    refuses_scripts: ClassVar[bool] = False
    #: The type to use instead of this one, which is deprecated.
    instead: ClassVar[str | None] = None
    #: It ends the run, so nothing behind it is reached.
    ends_run: ClassVar[bool] = False
    #: Its branches have reference names that only the run knows.
    makes_refs: ClassVar[bool] = False

    def shown_type(self, task: Task) -> str:
        """Return what run objects show as the task's type (Conductor 6.2)."""
        return self.shown_as or self.name

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Yield what Conductor refuses in a step of this type; paths are relative to the step."""
        yield from ()

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Yield what will not work as it reads, though Conductor takes it; paths are relative to the step."""
        yield from ()

    def warn_follower(self, config: WorkflowTask, following: WorkflowTask | None) -> Iterator[Fault]:
        """Yield what does not go together with the step behind it; paths are relative to the step itself."""
        yield from ()

    def joins(self, config: WorkflowTask) -> tuple[str, ...]:
        """Return the reference names for which a step of this type waits by its definition."""
        return ()

    def scripts(self, config: WorkflowTask) -> Iterator[tuple[str, str]]:
        """Yield the JavaScript sources of a step with their field names, for the syntax check."""
        yield from ()

    def start(self, at: At) -> Step:
        """Answer what happens when the flow reaches the task; ``at.task.input`` is evaluated."""
        raise NotImplementedError

    def branches(self, config: WorkflowTask, task: Task) -> tuple[Branch, ...]:
        """Return the lists that this task has open now, from its stored row alone."""
        return ()

    def branch(self, config: WorkflowTask, task: Task, name: str) -> Branch:
        """Return a list that the task had open once, though its row does not name it any more."""
        open_again = msgspec.structs.replace(task, status=TaskStatus.IN_PROGRESS)
        return next(branch for branch in self.branches(config, open_again) if branch.name == name)

    def wants(self, config: WorkflowTask, task: Task, branch: str) -> bool:
        """Return whether what has run in a list that this task had open is to be kept."""
        return True

    def branch_ended(self, at: At) -> Step:
        """Answer what happens when the last of the task's attached lists has ended."""
        return Complete(output=at.task.output)

    def gathered(self, config: WorkflowTask, task: Task, suffix: str, latest: Mapping[str, Task]) -> JsonObject:
        """Return an open task's output with what its row leaves to the rows in its lists (``Gathered``)."""
        return task.output

    def cut_short(self, at: At) -> JsonObject:
        """Return the output of an open task in one of whose lists the run is ended on purpose."""
        return at.task.output

    def rewound(self, at: At) -> JsonObject:
        """Return the output of a task that was over and has its present list open again, as an operator wants."""
        return at.task.output

    def awaits(self, config: WorkflowTask, task: Task) -> tuple[str, ...] | None:
        """Return the plain reference names that this task waits for, from its stored row alone; None if it never does.

        A type that answers ``Await`` returns what it waits for, even if that is nothing.
        """
        return None

    def settled(self, at: At, joined: Sequence[tuple[WorkflowTask, Task]]) -> Step:
        """Answer what happens when everything awaited has settled; ``joined`` leaves out what never ran."""
        raise NotImplementedError

    def is_outdated(self, task: Task, output: JsonObject) -> bool:
        """True when a worker's success is that of a hand-out whose answer was counted before."""
        return False

    def worker_done(self, at: At, output: JsonObject) -> Step | None:
        """Answer what follows from a worker's success; None: the task is done, with this output."""
        return None

    def settled_early(self, at: At) -> Step | None:
        """Answer whether what has settled so far is enough; None: wait for more. Asked whenever something settles."""
        return None

    def due(self, at: At) -> Step:
        """Answer what happens when the date of a ``Hold`` has come."""
        return Complete(output=at.task.output)

    def message_came(self, at: At) -> Step:
        """Answer what happens when a message was sent to the run while the task waits for one."""
        raise NotImplementedError

    def request(self, task: Task) -> Request | None:
        """Return what a task that answered ``Ask`` asks, from its stored row alone; None if the type never asks."""
        return None

    def child(self, task: Task) -> JsonObject:
        """Return the StartWorkflowRequest of the run that this task launches, from its stored row alone."""
        raise NotImplementedError

    def child_started(self, at: At, child_id: str) -> Step:
        """Answer what happens when the launched run is stored."""
        return Hold(output={"subWorkflowId": child_id})

    def child_ended(self, at: At, news: ChildEnded) -> Step:
        """Answer what happens when the launched run has ended or could not be started."""
        return Complete(output=news.output)


def names_input(config: WorkflowTask, field: str, name: str | None) -> Iterator[Fault]:
    """Yield a warning when a field names an input that the step does not have."""
    if name and name not in config.input_parameters:
        yield Fault(field, f"{name!r} is none of this step's inputParameters, so it is always null")


def required(config: WorkflowTask, field: str, present: object) -> Iterator[Fault]:
    """Yield Conductor's complaint when a field that the type needs is empty."""
    if not present:
        yield Fault(field, f"field is required for taskType: {config.type} taskName: {config.name}")
