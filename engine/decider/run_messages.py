"""What runs tell each other: starts, requests, and the news of children."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

import msgspec

from engine.decider.child import child_id
from engine.decider.execution import Execution
from engine.decider.place import described
from engine.errors import BadMessage
from engine.expression.budget import outweighs
from engine.model.command import (
    AskChild,
    AskRun,
    ForRuns,
    PassOn,
    RerunChild,
    RetryChild,
    ReviveParent,
    StartChild,
    StartFailureWorkflow,
    TellParent,
)
from engine.model.event import ChildEnded, ChildStarted, StartWorkflow
from engine.model.execution import Task, Workflow, split_task_id
from engine.model.payload import Json
from engine.model.request import ASKED_BY, REVIVED_TASK, Request
from engine.model.status import WorkflowStatus
from engine.wire.conductor import workflow_json
from engine.wire.message import Message
from engine.wire.request_message import encode_child_ended, encode_child_started, encode_request
from engine.wire.start_message import encode_start, read_start

#: Characters of what a failure workflow is told; of a larger run it is told without payloads and tasks, which it can
#: ask for, and is started at least.
_LARGEST_REPORT = 8 * 1024 * 1024


def run_messages(  # noqa: C901  one arm each
    run: Execution, command: ForRuns, partitions: int
) -> Iterator[Message]:
    """Yield what has to be published for a command, as the run's rows are now; nothing where it is out of date."""
    match command:
        case StartChild():
            task = run.tasks[command.seq]
            if task.status.is_open:
                yield _child(run, task, partitions)
        case RetryChild():
            yield from _to_child(run, command.seq, "retry", {"resumeSubworkflowTasks": True}, partitions)
        case RerunChild():
            yield from _to_child(run, command.seq, "rerun", command.arguments, partitions)
        case AskChild():
            yield from _to_child(run, command.seq, "tell_parent", {}, partitions)
        case AskRun():
            asked = run.plans[command.seq].kind.request(run.tasks[command.seq])
            if run.tasks[command.seq].status.is_open and asked is not None:
                yield encode_request(asked, partitions)
        case PassOn():
            yield encode_request(command.request, partitions)
        case TellParent():
            if command.started or run.workflow.status.is_terminal:
                yield _news(run, command, partitions)
        case ReviveParent():
            yield from _to_parent(run, partitions)
        case StartFailureWorkflow():
            yield encode_start(_failure_workflow(run))
        case _:
            assert_never(command)


def _to_child(run: Execution, seq: int, verb: str, arguments: Mapping[str, Json], partitions: int) -> Iterator[Message]:
    task = run.tasks[seq]
    if task.status.is_open and task.child_id is not None:
        yield _ask(run, task.child_id, verb, task.id, partitions, {**arguments, ASKED_BY: task.id})


def _to_parent(run: Execution, partitions: int) -> Iterator[Message]:
    workflow = run.workflow
    # One that has completed at once is to be waited for too: the parent then asks how it has ended.
    goes_on = workflow.status.is_open or workflow.status is WorkflowStatus.COMPLETED
    if workflow.parent_id is not None and goes_on:
        arguments = {"resumeSubworkflowTasks": True, REVIVED_TASK: workflow.parent_task_id}
        yield _ask(run, workflow.parent_id, "retry", workflow.id, partitions, arguments)


def _child(run: Execution, task: Task, partitions: int) -> Message:
    """Return the start message of a child, or the news that there is nothing that could be started."""
    workflow, kind = run.workflow, run.plans[task.seq].kind
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
    whole = workflow_json(workflow, tasks, definition, lambda task: described(run.plans[task.seq], task))
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
