"""What commands look like as messages: built from the rows, so that they can be built again after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from engine.decider.execution import Execution
from engine.decider.handed_out import with_task
from engine.decider.notices import notices
from engine.decider.place import definition_of
from engine.decider.run_messages import run_messages
from engine.decider.status_messages import alert, announcement
from engine.expression.secret import reveal
from engine.model.command import (
    Abandon,
    Alert,
    Announce,
    Cancel,
    Command,
    Dispatch,
    Notify,
    Reply,
    SeeToSlot,
    WakeSoon,
)
from engine.model.event import Wake
from engine.model.execution import Task, task_id
from engine.model.payload import Json
from engine.model.request import Request
from engine.model.status import TaskStatus
from engine.wire.celery_control import encode_revoke
from engine.wire.celery_message import RUNTIME_METADATA, encode_task
from engine.wire.message import Message
from engine.wire.partition import queue_of
from engine.wire.request_message import (
    encode_outcome,
    encode_request,
    encode_wake,
)
from engine.wire.system_queue import body_of

#: Finds the value of a secret by its name, or None.
Secrets: TypeAlias = Callable[[str], Json]


def _no_secret(_: str) -> Json:
    return None


def messages(  # noqa: C901  one arm each
    run: Execution,
    command: Command,
    partitions: int,
    secrets: Secrets = _no_secret,
    sinks: Sequence[str] = (),
    runtime: Secrets = _no_secret,
) -> Iterator[Message]:
    """Yield what has to be published for a command, as the run's rows are now; nothing where it is out of date.

    ``secrets`` finds what the inputs of tasks name, ``runtime`` what their definitions want handed to the worker: it
    goes into their messages, and nowhere else. ``sinks`` are where notices go when the definition names no place of
    its own.
    """
    about = getattr(command, "seq", 0)
    if about and about not in run.tasks:
        # An operator has taken the task out of the flow since.
        return
    match command:
        case Dispatch():
            yield from _task(run, run.tasks[command.seq], partitions, secrets, runtime)
        case Cancel():
            yield from _cancellation(run, run.tasks[command.seq], partitions)
        case Abandon():
            yield _abandonment(run, command, partitions)
        case Announce():
            yield announcement(run, command)
        case Alert():
            yield alert(run, command)
        case Notify():
            yield from notices(run, command, sinks)
        case WakeSoon():
            yield _wake_up(run, partitions)
        case SeeToSlot():
            # Done in the transaction itself; what it grants concerns other runs.
            pass
        case Reply():
            yield encode_outcome(command.to, command.reply_id, with_task(run, command.outcome))
        case _:
            yield from run_messages(run, command, partitions)


def _task(run: Execution, task: Task, partitions: int, secrets: Secrets, runtime: Secrets) -> Iterator[Message]:
    if task.status is not TaskStatus.SCHEDULED or not task.dispatched:
        return
    workflow, config = run.workflow, run.plans[task.seq].step
    definition = definition_of(config, task)
    written = {**definition.input_template, **config.input_parameters}
    handed = {name: value for name in definition.runtime_metadata if (value := runtime(name)) is not None}
    headers: dict[str, Json] = {RUNTIME_METADATA: handed} if handed else {}
    if task.polls:
        # Lets the answer to one call be told from that to the next.
        headers["calls"] = task.polls
    yield encode_task(
        task_id=task.id,
        name=task.name if task.queue.rpartition(":")[2] == task.name else body_of(task.queue) or task.queue,
        queue=task.queue,
        input=reveal(task.input, written, secrets),
        workflow_id=workflow.id,
        reply_to=queue_of(workflow.id, partitions),
        priority=min(workflow.priority // 10, 9),
        attempt=task.attempt,
        extra_headers=headers,
    )


def _wake_up(run: Execution, partitions: int) -> Message:
    workflow = run.workflow
    event_id = f"{workflow.id}/soon/{workflow.version_no}"
    return encode_wake(Wake(event_id=event_id, workflow_id=workflow.id), partitions)


def _cancellation(run: Execution, task: Task, partitions: int) -> Iterator[Message]:
    if not task.status.is_terminal:
        # One that a retry has reopened meanwhile is wanted again.
        return
    if task.queue:
        yield encode_revoke(task.id)
    elif task.child_id:
        ended, why = run.workflow.status.is_terminal, task.reason or run.workflow.reason
        who = "Parent workflow has been terminated" if ended else "The task of the parent workflow has ended"
        yield encode_request(
            Request(
                # A task that an operator's retry has reopened may be cancelled another time.
                event_id=f"{task.id}/cancel/{task.ended_at}",
                workflow_id=task.child_id,
                verb="terminate",
                arguments={"reason": f"{who} with reason: {why}" if why else who, "onlyIfOpen": True},
                by=task.id,
            ),
            partitions,
        )


def _abandonment(run: Execution, command: Abandon, partitions: int) -> Message:
    """Return the word to whoever works for a task that is no part of the flow any more."""
    identity = task_id(run.workflow.id, command.number)
    if command.child_id is None:
        return encode_revoke(identity)
    request = Request(
        event_id=f"{identity}/abandon",
        workflow_id=command.child_id,
        verb="terminate",
        arguments={"reason": "The task of the parent workflow is done over", "onlyIfOpen": True},
        by=identity,
    )
    return encode_request(request, partitions)
