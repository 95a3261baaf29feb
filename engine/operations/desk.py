"""What an operation may see and do: the run on the operator's desk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from engine.clock import Instant
from engine.model.definition import WorkflowDef, WorkflowTask
from engine.model.event import Beginning, TaskResult
from engine.model.execution import Task, Workflow, split_task_id
from engine.model.payload import Json, JsonObject
from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus, WorkflowStatus


class Desk(Protocol):
    """One run, open for an operation. What is done here is stored and published as any other decision."""

    now: Instant

    @property
    def workflow(self) -> Workflow:
        """The run's record."""
        ...

    def tasks(self) -> Iterator[Task]:
        """Yield every attempt of every task, in the order of scheduling."""
        ...

    def open_tasks(self) -> Iterator[Task]:
        """Yield the tasks that are SCHEDULED or IN_PROGRESS, in the order of scheduling."""
        ...

    def task(self, seq: int) -> Task | None:
        """Return the task with that seq."""
        ...

    def config(self, task: Task) -> WorkflowTask:
        """Return the step of the definition that a task carries out."""
        ...

    def takes_signal(self, task: Task) -> bool:
        """True when somebody may complete the task by a signal."""
        ...

    def takes_messages(self, task: Task) -> bool:
        """True when the open task waits for a message that is sent to the run."""
        ...

    def hand_over_messages(self, task: Task) -> None:
        """Let a task that waits for messages take what is there."""
        ...

    @property
    def messages_limit(self) -> tuple[int, int]:
        """How many messages may wait in a run, and how large they may be together, as JSON."""
        ...

    @property
    def variables_limit_bytes(self) -> int:
        """How large the variables of a run may be together, as JSON."""
        ...

    def end_delay(self, task: Task) -> None:
        """Let a task that waits for its delivery be handed out as soon as the flow goes on."""
        ...

    @property
    def definition(self) -> WorkflowDef:
        """What the run goes by."""
        ...

    def use_definition(self, version: int | None, *, keep_tasks: bool) -> str | None:
        """Have the run go by a registered definition of its workflow; return why that cannot be.

        With ``keep_tasks``, every task that is part of the flow must have its step where it was.
        """
        ...

    def take_input(self, given: JsonObject) -> str | None:
        """Have the run go on with another input; return what is wrong with it."""
        ...

    def change_workflow(self, **fields: Json) -> Workflow:
        """Change the run's record."""
        ...

    def tell(self, event: str) -> None:
        """Tell the listeners of the run what was done to it, in Conductor's word (RETRIED, say)."""
        ...

    def apply(self, result: TaskResult) -> bool:
        """Apply a task result as if a worker had sent it; False when it does not fit any more."""
        ...

    def pass_on(self, request: Request) -> None:
        """Send a request to another run."""
        ...

    def end(self, status: WorkflowStatus, reason: str | None, *, failure_workflow: bool = False) -> None:
        """End the run; its failure workflow is started only if that is wanted."""
        ...

    def reopen(self, task: Task) -> None:
        """Put a container or a waiting task that was closed back to IN_PROGRESS, in its place."""
        ...

    def attempt_again(self, task: Task) -> None:
        """Give a task that was closed a further attempt, at once."""
        ...

    def take_all_out(self) -> None:
        """Take every task out of the flow: the run begins anew."""
        ...

    def go_back_to(self, task: Task, given: JsonObject | None = None) -> None:
        """Have a task, and all that the flow did behind it, done over; with this input instead of its parameters."""
        ...

    def go_back_behind(self, task: Task) -> None:
        """Have all done over that the flow did behind a task."""
        ...

    def jump_to(self, ref: str, given: JsonObject | None) -> bool:
        """Have the flow of a list go on at a step in it; False when no list that the flow is in has such a step."""
        ...

    def way_to(self, task_id: str) -> tuple[str, ...]:
        """Return the ids of the tasks that lead to a task of a run below this one, that task last."""
        ...

    def remove(self, *, archive: bool) -> None:
        """Have the run's rows deleted."""
        ...

    def look_afresh(self) -> None:
        """Have everything derived anew from the rows before the flow goes on."""
        ...

    def has_child(self, task: Task) -> bool:
        """True when the task waited for the end of a child run."""
        ...

    def wait_for_child(self, task: Task) -> None:
        """Reopen a closed task whose child goes on, and hear from the child if it has ended meanwhile."""
        ...

    def retry_child(self, task: Task) -> None:
        """Reopen a closed task and ask its child to go on from where it failed."""
        ...

    def rerun_child(self, task: Task, arguments: JsonObject) -> None:
        """Reopen a closed task and ask its child to go back to a task of its own."""
        ...

    def revive_parent(self) -> None:
        """Let the parent know that the run goes on, so that it waits for it again."""
        ...

    def tell_parent_again(self, request: Request) -> None:
        """Send the parent the news of the run's end another time, because of a request that cannot be granted."""
        ...

    def is_within_reach(self, task: Task) -> bool:
        """True when the flow could pass a closed task again: it is in no iteration that has been left."""
        ...

    def is_container(self, task: Task) -> bool:
        """True for forks, joins, switches and loops: they are reopened, not attempted again."""
        ...

    def go_on(self) -> None:
        """Let the flow go on from wherever the rows show it to be."""
        ...


def task_named(desk: Desk, identity: Json) -> Task | None:
    """Return the run's task of this id; None when it has none."""
    parts = split_task_id(str(identity))
    return desk.task(parts[1]) if parts is not None and parts[0] == desk.workflow.id else None


def begin_task(
    desk: Desk, request: Request, task: Task, beginning: Beginning, *, polled: bool = False
) -> tuple[bool, Task]:
    """Have the worker that a request names begin a task; return whether that was counted, and the task as it is then.

    ``polled`` says that the worker has asked for it over HTTP.
    """
    worker = request.arguments.get("workerId")
    applied = desk.apply(
        TaskResult(
            event_id=request.event_id,
            workflow_id=request.workflow_id,
            seq=task.seq,
            status=TaskStatus.IN_PROGRESS,
            worker=None if worker is None else str(worker),
            heartbeat=True,
            beginning=beginning,
            polled=polled,
        )
    )
    now = desk.task(task.seq)
    assert now is not None, "a run forgets tasks at the end of a decision only"
    return applied, now


def granted(message: str = "", **result: Json) -> Outcome:
    """Return a grant."""
    return Outcome(granted=True, code=200, message=message, result=result)


def refused(code: int, message: str) -> Outcome:
    """Return a refusal: 400 for a senseless request, 404 for something missing, 409 for one that does not fit now."""
    return Outcome(granted=False, code=code, message=message)
