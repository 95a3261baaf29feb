"""update_task: a worker's or client's word about a task, by task id or by reference name (Conductor 4.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from engine.model.event import TaskResult
from engine.model.execution import Task
from engine.model.payload import Json, JsonObject
from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus
from engine.operations.desk import Desk, granted, refused, task_named

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

#: What the audit trail leaves out: it is the output of the task.
KEPT_ELSEWHERE: Final = frozenset({"output"})

#: Characters of a reported reason that are kept (Conductor 4.8).
_REASON_LENGTH = 500

#: Seconds; Conductor's field has 32 bits.
_LONGEST_CALLBACK = 2_147_483_647


def reported_status(text: Json) -> TaskStatus | None:
    """Return the status that a client named, or None when it may not be reported."""
    try:
        status = TaskStatus(str(text))
    except ValueError:
        return None
    return status if status in _REPORTABLE else None


def faults(arguments: JsonObject) -> Iterator[str]:
    """Yield what is wrong with the shape of a report or signal."""
    if reported_status(arguments.get("status", TaskStatus.COMPLETED.value)) is None:
        allowed = ", ".join(sorted(_REPORTABLE))
        yield f"A task cannot be reported as {arguments.get('status')!r}: use one of {allowed}."
    if not isinstance(arguments.get("output") or {}, Mapping):
        yield "'output' must be a JSON object."
    delay = arguments.get("callbackAfterSeconds") or 0
    if not isinstance(delay, int) or not 0 <= delay <= _LONGEST_CALLBACK:
        yield f"'callbackAfterSeconds' must be a whole number from 0 to {_LONGEST_CALLBACK}, not {delay!r}."


def operate(desk: Desk, request: Request) -> Outcome:
    """Apply the report; one that comes too late is granted and changes nothing, as clients expect."""
    arguments = request.arguments
    status = reported_status(arguments.get("status"))
    wrong = " ".join(faults(arguments))
    if status is None or wrong:
        return refused(400, wrong or "The report needs a 'status'.")
    task = _find(desk, arguments)
    if task is None:
        wanted = arguments.get("taskId") or arguments.get("ref")
        return refused(404, f"No task {wanted} in workflow {desk.workflow.id} that is open.")
    if desk.is_container(task):
        return refused(409, f"Task {task.ref} is a {task.type}: it ends when the tasks that it waits for have ended.")
    if arguments.get("onlyOpen") and task.status.is_terminal:
        return refused(409, f"Task {task.ref} of workflow {desk.workflow.id} has ended already ({task.status}).")
    merges = bool(arguments.get("mergeOutput", "taskId" not in arguments))
    output = arguments.get("output") or {}
    heartbeat = bool(arguments.get("extendLease"))
    reason, worker = arguments.get("reason"), arguments.get("workerId")
    applied = desk.apply(
        TaskResult(
            event_id=request.event_id,
            workflow_id=request.workflow_id,
            seq=task.seq,
            status=TaskStatus.IN_PROGRESS if heartbeat else status,
            output={} if heartbeat else {**task.output, **output} if merges else output,
            reason=None if reason is None else str(reason)[:_REASON_LENGTH],
            worker=None if worker is None else str(worker),
            callback_after_seconds=arguments.get("callbackAfterSeconds") or 0,
            heartbeat=heartbeat,
            reported=True,
        )
    )
    where = {"queue": task.queue} if arguments.get("thenPolls") else {}
    return granted(taskId=task.id, applied=applied, **where)


def _find(desk: Desk, arguments: Json) -> Task | None:
    identity = arguments.get("taskId")
    if identity is not None:
        return task_named(desk, identity)
    ref = str(arguments.get("ref"))
    found = [task for task in desk.open_tasks() if ref in (task.ref, desk.config(task).task_reference_name)]
    return found[-1] if found else None
