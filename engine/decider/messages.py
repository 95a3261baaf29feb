"""What commands look like as messages: built from the rows, so that they can be built again after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, assert_never

import msgspec

from engine.decider.child import child_id
from engine.decider.execution import Execution
from engine.decider.handed_out import with_task
from engine.decider.notices import notices
from engine.decider.place import definition_of, described
from engine.errors import BadMessage
from engine.expression.budget import outweighs
from engine.expression.secret import reveal
from engine.model.command import (
    Abandon,
    Alert,
    Announce,
    AskChild,
    AskRun,
    Cancel,
    Command,
    Dispatch,
    Notify,
    PassOn,
    Reply,
    RerunChild,
    RetryChild,
    ReviveParent,
    SeeToSlot,
    StartChild,
    StartFailureWorkflow,
    TellParent,
    WakeSoon,
)
from engine.model.event import ChildEnded, ChildStarted, StartWorkflow, Wake
from engine.model.execution import Task, Workflow, split_task_id, task_id
from engine.model.payload import Json
from engine.model.request import ASKED_BY, REVIVED_TASK, Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.tasks import task_type
from engine.wire.celery_control import encode_revoke
from engine.wire.celery_message import RUNTIME_METADATA, encode_task
from engine.wire.conductor import Described, workflow_json
from engine.wire.message import STATUS_EXCHANGE, Message
from engine.wire.partition import queue_of
from engine.wire.request_message import (
    encode_child_ended,
    encode_child_started,
    encode_outcome,
    encode_request,
    encode_wake,
)
from engine.wire.start_message import encode_start, read_start
from engine.wire.system_queue import body_of

#: Finds the value of a secret by its name, or None.
Secrets: TypeAlias = Callable[[str], Json]


def _no_secret(_: str) -> Json:
    return None


#: What is announced of a run or task whose timeout has passed and ends nothing; no status of either.
LATE: Final = "LATE"

#: Characters of what a failure workflow is told; of a larger run it is told without payloads and tasks, which it can
#: ask for, and is started at least.
_LARGEST_REPORT = 8 * 1024 * 1024


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
            task = run.tasks[command.seq]
            if task.status is TaskStatus.SCHEDULED and task.dispatched:
                yield _task(run, task, partitions, secrets, runtime)
        case StartChild():
            task = run.tasks[command.seq]
            if task.status.is_open:
                yield _child(run, task, partitions)
        case Cancel():
            task = run.tasks[command.seq]
            # One that a retry has reopened meanwhile is wanted again.
            if task.status.is_terminal:
                yield from _cancellation(run, task, partitions)
        case Abandon():
            yield _abandonment(run, command, partitions)
        case TellParent():
            if command.started or run.workflow.status.is_terminal:
                yield _news(run, command, partitions)
        case RetryChild():
            task = run.tasks[command.seq]
            if task.status.is_open and task.child_id is not None:
                arguments = {"resumeSubworkflowTasks": True, ASKED_BY: task.id}
                yield _ask(run, task.child_id, "retry", task.id, partitions, arguments)
        case RerunChild():
            task = run.tasks[command.seq]
            if task.status.is_open and task.child_id is not None:
                arguments = {**command.arguments, ASKED_BY: task.id}
                yield _ask(run, task.child_id, "rerun", task.id, partitions, arguments)
        case AskChild():
            task = run.tasks[command.seq]
            if task.status.is_open and task.child_id is not None:
                yield _ask(run, task.child_id, "tell_parent", task.id, partitions, {ASKED_BY: task.id})
        case AskRun():
            asked = task_type(run.configs[command.seq].type).request(run.tasks[command.seq])
            if run.tasks[command.seq].status.is_open and asked is not None:
                yield encode_request(asked, partitions)
        case PassOn():
            yield encode_request(command.request, partitions)
        case ReviveParent():
            workflow = run.workflow
            # One that has completed at once is to be waited for too: the parent then asks how it has ended.
            goes_on = workflow.status.is_open or workflow.status is WorkflowStatus.COMPLETED
            if workflow.parent_id is not None and goes_on:
                arguments = {"resumeSubworkflowTasks": True, REVIVED_TASK: workflow.parent_task_id}
                yield _ask(run, workflow.parent_id, "retry", workflow.id, partitions, arguments)
        case StartFailureWorkflow():
            yield encode_start(_failure_workflow(run))
        case Announce():
            yield _announcement(run, command)
        case Notify():
            yield from notices(run, command, sinks)
        case Alert():
            yield _alert(run, command)
        case WakeSoon():
            workflow = run.workflow
            event_id = f"{workflow.id}/soon/{workflow.version_no}"
            yield encode_wake(Wake(event_id=event_id, workflow_id=workflow.id), partitions)
        case SeeToSlot():
            # Done in the transaction itself; what it grants concerns other runs.
            pass
        case Reply():
            yield encode_outcome(command.to, command.reply_id, with_task(run, command.outcome))
        case _:
            assert_never(command)


def describe(run: Execution, task: Task) -> Described:
    """Return what Conductor's Task object says beyond the row itself."""
    return described(run.configs[task.seq], task)


def _task(run: Execution, task: Task, partitions: int, secrets: Secrets, runtime: Secrets) -> Message:
    workflow, config = run.workflow, run.configs[task.seq]
    definition = definition_of(config, task)
    written = {**definition.input_template, **config.input_parameters}
    handed = {name: value for name in definition.runtime_metadata if (value := runtime(name)) is not None}
    headers: dict[str, Json] = {RUNTIME_METADATA: handed} if handed else {}
    if task.polls:
        # Lets the answer to one call be told from that to the next.
        headers["calls"] = task.polls
    return encode_task(
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


def _child(run: Execution, task: Task, partitions: int) -> Message:
    """Return the start message of a child, or the news that there is nothing that could be started."""
    workflow, kind = run.workflow, task_type(run.configs[task.seq].type)
    assert task.child_id is not None
    try:
        start = read_start(dict(kind.child(task)), lambda: str(task.child_id), message_id=task.child_id)
    except BadMessage as error:
        refusal = ChildEnded(
            event_id=f"{child_id(task)}/refused",
            workflow_id=workflow.id,
            seq=task.seq,
            child_id=task.child_id,
            status=WorkflowStatus.FAILED,
            reason=str(error),
        )
        return encode_child_ended(refusal, partitions)
    start = msgspec.structs.replace(
        start,
        # Of several tasks that ask for one run by its key, each asks for itself.
        event_id=child_id(task),
        workflow_id=task.child_id,
        correlation_id=start.correlation_id or workflow.correlation_id,
        task_to_domain=start.task_to_domain or workflow.task_to_domain,
        parent_id=workflow.id if kind.awaits_child else None,
        parent_task_id=task.id,
        depth=workflow.depth + 1 if kind.awaits_child else 0,
    )
    return encode_start(start)


def _cancellation(run: Execution, task: Task, partitions: int) -> Iterator[Message]:
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


def _ask(
    run: Execution, workflow_id: str, verb: str, by: str, partitions: int, arguments: Mapping[str, Json]
) -> Message:
    """Return the request to a relative of this run; each retry of the run asks anew."""
    request = Request(
        event_id=f"{by}/{verb}/{run.workflow.last_retried_at or run.workflow.created_at}",
        workflow_id=workflow_id,
        verb=verb,
        arguments=arguments,
        by=by,
    )
    return encode_request(request, partitions)


def _news(run: Execution, command: TellParent, partitions: int) -> Message:
    workflow = run.workflow
    parent = split_task_id(command.task_id)
    assert parent is not None, command.task_id
    parent_id, seq = parent
    if command.started:
        event_id = f"{workflow.id}/started{_to(workflow, command)}"
        started = ChildStarted(event_id=event_id, workflow_id=parent_id, seq=seq, child_id=workflow.id)
        return encode_child_started(started, partitions)
    return _ended(workflow, command, parent_id, seq, partitions)


def _to(workflow: Workflow, command: TellParent) -> str:
    """Return what tells news for one task from the same news for another one, which may be of the same run."""
    return "" if command.task_id == workflow.parent_task_id else f"/{command.task_id}"


def _ended(workflow: Workflow, command: TellParent, parent_id: str, seq: int, partitions: int) -> Message:
    """Return the news of a run's end; an output that cannot be written makes it a failure that says so."""
    ended = ChildEnded(
        event_id=f"{workflow.id}/{workflow.status}/{workflow.ended_at}{_to(workflow, command)}{command.again}",
        workflow_id=parent_id,
        seq=seq,
        child_id=workflow.id,
        status=workflow.status,
        output=workflow.output,
        reason=workflow.reason,
    )
    try:
        return encode_child_ended(ended, partitions)
    except BadMessage as error:
        reason = f"The child's output cannot be sent to its parent: {error}"
        failed = msgspec.structs.replace(ended, status=WorkflowStatus.FAILED, output={}, reason=reason)
        return encode_child_ended(failed, partitions)


def _failure_workflow(run: Execution) -> StartWorkflow:
    """Return the start of the failure workflow: the original input, and what is known about the failure."""
    workflow, definition = run.workflow, run.definition
    assert workflow.failure_workflow_id is not None
    tasks = [run.tasks[seq] for seq in sorted(run.tasks)]
    whole = workflow_json(workflow, tasks, definition, lambda task: describe(run, task))
    if outweighs([workflow.input, whole], _LARGEST_REPORT):
        whole = {**whole, "tasks": [], "input": {}, "output": {}}
    added: dict[str, Json] = {
        "workflowId": workflow.id,
        "reason": workflow.reason,
        "failureStatus": workflow.status.value,
        "failureTaskId": workflow.failed_task_id,
        "failedWorkflow": whole,
    }
    return StartWorkflow(
        event_id=workflow.failure_workflow_id,
        workflow_id=workflow.failure_workflow_id,
        name=_failure_name(run),
        version=definition.failure_workflow_version,
        input={**workflow.input, **added},
        correlation_id=workflow.correlation_id,
        task_to_domain=workflow.task_to_domain,
        # Bounds a failure workflow that fails and is its own failure workflow.
        depth=workflow.depth + 1,
    )


def _failure_name(run: Execution) -> str:
    """Return the failure workflow's name; ``$workflow.input.<key>`` names an input that holds it (Conductor 1.1)."""
    name = run.definition.failure_workflow or ""
    if not name.startswith("$"):
        return name
    parts = name.split(".")
    return str(run.workflow.input.get(parts[2], name)) if len(parts) > 2 else name


def _alert(run: Execution, command: Alert) -> Message:
    """Return what is said of a run, or of one of its tasks, that is late."""
    workflow, task = run.workflow, run.tasks.get(command.seq)
    body = {
        "workflowId": workflow.id,
        "name": workflow.name,
        "version": workflow.version,
        "status": LATE,
        "correlationId": workflow.correlation_id,
        "taskId": task.id if task else None,
        "ref": task.ref if task else None,
        "reason": command.reason,
        "at": workflow.updated_at,
    }
    key = f"task.{LATE.lower()}.{task.name}" if task else f"workflow.{LATE.lower()}.{workflow.name}"
    return Message(exchange=STATUS_EXCHANGE, queue=key, body=msgspec.json.encode(body), transient=True)


def _announcement(run: Execution, command: Announce) -> Message:
    workflow = run.workflow
    body = {
        "workflowId": workflow.id,
        "name": workflow.name,
        "version": workflow.version,
        "status": command.status,
        "correlationId": workflow.correlation_id,
        "parentWorkflowId": workflow.parent_id,
        "reason": workflow.reason,
        "at": workflow.updated_at,
    }
    return Message(
        exchange=STATUS_EXCHANGE,
        queue=f"workflow.{command.status.lower()}.{workflow.name}",
        body=msgspec.json.encode(body),
        transient=True,
    )
