"""update_task: a worker's or client's word about a task, by task id or by reference name (Conductor 4.8)."""

from __future__ import annotations

from engine.model.event import TaskResult
from engine.model.execution import Task, split_task_id
from engine.model.payload import Json
from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus
from engine.operations.desk import Desk, granted, refused

#: What may be reported about a task; the other states are the engine's own.
_REPORTABLE = frozenset(
    {
        TaskStatus.IN_PROGRESS,
        TaskStatus.COMPLETED,
        TaskStatus.FAILED,
        TaskStatus.FAILED_WITH_TERMINAL_ERROR,
        TaskStatus.CANCELED,
    }
)

#: Characters of a reported reason that are kept (Conductor 4.8).
_REASON_LENGTH = 500


def reported_status(text: Json) -> TaskStatus | None:
    """Return the status that a client named, or None when it may not be reported."""
    try:
        status = TaskStatus(str(text))
    except ValueError:
        return None
    return status if status in _REPORTABLE else None


def operate(desk: Desk, request: Request) -> Outcome:
    """Apply the report; one that comes too late is granted and changes nothing, as clients expect."""
    arguments = request.arguments
    status = reported_status(arguments.get("status"))
    if status is None:
        allowed = ", ".join(sorted(_REPORTABLE))
        return refused(400, f"A task cannot be reported as {arguments.get('status')!r}: use one of {allowed}.")
    task = _find(desk, arguments)
    if task is None:
        wanted = arguments.get("taskId") or arguments.get("ref")
        return refused(404, f"No task {wanted} in workflow {desk.workflow.id} that is open.")
    by_ref = "taskId" not in arguments
    output = arguments.get("output") or {}
    heartbeat = bool(arguments.get("extendLease"))
    reason = arguments.get("reason")
    applied = desk.apply(
        TaskResult(
            event_id=request.event_id,
            workflow_id=request.workflow_id,
            seq=task.seq,
            status=TaskStatus.IN_PROGRESS if heartbeat else status,
            output={} if heartbeat else {**task.output, **output} if by_ref else output,
            reason=None if reason is None else str(reason)[:_REASON_LENGTH],
            worker=arguments.get("workerId"),
            callback_after_seconds=arguments.get("callbackAfterSeconds", 0),
            heartbeat=heartbeat,
        )
    )
    return granted(taskId=task.id, applied=applied)


def _find(desk: Desk, arguments: Json) -> Task | None:
    identity = arguments.get("taskId")
    if identity is not None:
        parts = split_task_id(str(identity))
        return None if parts is None or parts[0] != desk.workflow.id else desk.task(parts[1])
    ref = str(arguments.get("ref"))
    found = [task for task in desk.open_tasks() if ref in (task.ref, desk.config(task).task_reference_name)]
    return found[-1] if found else None
