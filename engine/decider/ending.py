"""How runs end: their status, reason and output, and what happens to whatever is still open (Conductor 4.6, 4.7)."""

from __future__ import annotations

from uuid import NAMESPACE_OID, uuid5

from engine.decider.asked import waiting_tasks
from engine.decider.context import evaluated
from engine.decider.draft import Draft
from engine.decider.notices import tell
from engine.decider.schema import output_mismatch
from engine.errors import BatonError
from engine.model.command import Announce, Cancel, StartFailureWorkflow, TellParent
from engine.model.execution import NEVER, Task
from engine.model.payload import Json, JsonObject
from engine.model.status import TaskStatus, WorkflowStatus

#: Statuses of attempts that are listed as failed, also on a run that ended well later (Conductor 4.6).
_LISTED = (TaskStatus.FAILED, TaskStatus.FAILED_WITH_TERMINAL_ERROR)

#: The key under which a failed run's output names the failure workflow it started.
FAILURE_KEY = "conductor.failure_workflow"


def complete(draft: Draft) -> None:
    """The flow has come to the end: complete the run, unless something permissive has failed on the way."""
    tasks = (draft.tasks[seq] for seq in draft.tasks)
    failed = [task for task in tasks if task.executed and not task.retried and not task.status.is_successful]
    if not failed:
        end(draft, WorkflowStatus.COMPLETED, None)
        return
    reason = ". ".join(_framed(task, task.status.value, task.reason) for task in failed)
    end(draft, WorkflowStatus.FAILED, reason, failed=failed[0])


def fail(draft: Draft, task: Task, reason: str | None, *, framed: bool = True) -> None:
    """A task has failed for good: end the run as the task's status demands (Conductor 4.3.1)."""
    match task.status:
        case TaskStatus.TIMED_OUT:
            status = WorkflowStatus.TIMED_OUT
        case TaskStatus.CANCELED:
            status = WorkflowStatus.TERMINATED
        case _:
            status = WorkflowStatus.FAILED
    end(draft, status, _framed(task, status.value, reason) if framed else reason, failed=task)


def abort(draft: Draft, reason: str, at: Task | None = None) -> None:
    """The definition cannot be carried out: fail the run with this reason."""
    if at is not None and at.status.is_open:
        draft.change(at, status=TaskStatus.FAILED_WITH_TERMINAL_ERROR, reason=reason, ended_at=draft.now)
    end(draft, WorkflowStatus.FAILED, reason, failed=at)


def _framed(task: Task, status: str, reason: str | None) -> str:
    return f"Task {task.id} failed with status: {status} and reason: '{'null' if reason is None else reason}'"


def end(
    draft: Draft,
    status: WorkflowStatus,
    reason: str | None,
    *,
    output: JsonObject | None = None,
    failed: Task | None = None,
    failure_workflow: bool = True,
) -> None:
    """End the run: output, reason, open tasks cancelled, parent told, failure workflow started."""
    result = dict(output) if output is not None else _output(draft)
    if status is WorkflowStatus.COMPLETED and (wrong := output_mismatch(draft.definition, result)) is not None:
        status, reason = WorkflowStatus.FAILED, wrong
    _cancel_open(draft)
    listed = [task for seq in draft.tasks if (task := draft.tasks[seq]).status in _LISTED]
    draft.change_workflow(
        status=status,
        reason=reason,
        ended_at=draft.now,
        wake_at=NEVER,
        messages=(),
        failed_task_id=failed.id if failed is not None else None,
        failed_refs=tuple(dict.fromkeys(task.ref for task in listed)),
        failed_names=tuple(dict.fromkeys(task.name for task in listed)),
    )
    if failure_workflow and status is not WorkflowStatus.COMPLETED and draft.definition.failure_workflow:
        started = str(uuid5(NAMESPACE_OID, f"baton failure of {draft.workflow.id} at {draft.now}"))
        result[FAILURE_KEY] = started
        draft.change_workflow(failure_workflow_id=started)
        draft.command(StartFailureWorkflow())
    draft.change_workflow(output=result)
    draft.command(Announce(0, status.value))
    tell(draft, "COMPLETED" if status is WorkflowStatus.COMPLETED else "TERMINATED", "FINALIZED")
    for task_id in waiting_tasks(draft.workflow):
        draft.command(TellParent(task_id))


def tell_parent_again(draft: Draft, request_id: str) -> None:
    """Command the news of the run's end another time, because of a request; who waits for it counts it as new."""
    for task_id in waiting_tasks(draft.workflow):
        draft.command(TellParent(task_id, again=f"/{request_id}"))


def _output(draft: Draft) -> dict[str, Json]:
    """Return the run's output: ``outputParameters``, else the output of the last task (Conductor 4.6)."""
    parameters = draft.definition.output_parameters
    if parameters:
        try:
            return dict(evaluated(draft, parameters))
        except BatonError as error:
            return {"error": f"The output parameters could not be evaluated: {error}"}
    last = draft.tasks.get(draft.workflow.last_seq)
    return dict(last.output) if last is not None else {}


def _cancel_open(draft: Draft) -> None:
    """Close what is still open; queued work is revoked, children are terminated (invariant I8)."""
    for seq in draft.open:
        task = draft.tasks[seq]
        draft.change(task, status=TaskStatus.CANCELED, ended_at=draft.now, updated_at=draft.now, due_at=NEVER)
        cancel(draft, task)


def cancel_inside(draft: Draft, owner: Task) -> None:
    """Close what is open under a container that ends before its lists have ended (a loop that times out)."""

    def is_inside(seq: int) -> bool:
        while seq and seq != owner.seq:
            seq = draft.tasks[seq].parent
        return seq == owner.seq

    for key in draft.lists:
        if is_inside(key[0]):
            draft.lists.drop(key)
    for seq in draft.open:
        task = draft.tasks[seq]
        if is_inside(task.parent):
            draft.change(task, status=TaskStatus.CANCELED, ended_at=draft.now, updated_at=draft.now, due_at=NEVER)
            cancel(draft, task)


def cancel(draft: Draft, task: Task) -> None:
    """Command that whatever was started for a task be stopped, if its type wants that."""
    started = task.dispatched and (task.queue or task.child_id)
    if started and draft.plans[task.seq].kind.stops_with_task:
        draft.command(Cancel(task.seq))
