"""What must have happened to a run once a request has been granted."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.clock import Instant
from engine.decider.unconfirmed import recall
from engine.model.command import ReviveParent
from engine.model.execution import Task, split_task_id
from engine.model.request import ASKED_BY
from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.port import LoggedRequest, Rows
from tests.simulation.past import task_of

_UNFINISHED = frozenset(
    {TaskStatus.FAILED, TaskStatus.FAILED_WITH_TERMINAL_ERROR, TaskStatus.TIMED_OUT, TaskStatus.CANCELED}
)


def has_happened(line: LoggedRequest, rows: Rows) -> bool:
    """Return whether the rows show what the last line of the audit trail has granted."""
    shown = _SHOWN.get(line.request.verb)
    return shown is None or shown(line, rows)


def _paused(_: LoggedRequest, rows: Rows) -> bool:
    return rows.workflow.status is WorkflowStatus.PAUSED or rows.workflow.status.is_terminal


def _terminated(line: LoggedRequest, rows: Rows) -> bool:
    request = line.request
    # A task that has launched a run, or found it by its key, does not want it any more: others do, and nothing is done.
    is_of_others = request.arguments.get("onlyIfOpen") and request.by != rows.workflow.parent_task_id
    return bool(is_of_others) or rows.workflow.status.is_terminal


def _retried(line: LoggedRequest, rows: Rows) -> bool:
    return rows.workflow.last_retried_at == line.at and _all_goes_on(line, rows)


def _upgraded(line: LoggedRequest, rows: Rows) -> bool:
    return rows.workflow.version == line.outcome.result["version"]


def _jumped(line: LoggedRequest, rows: Rows) -> bool:
    ref = str(line.request.arguments["ref"])
    there = any(task.ref.partition("__")[0] == ref and task.scheduled_at >= line.at for task in rows.tasks)
    return there or rows.workflow.status.is_terminal


def _signalled(line: LoggedRequest, rows: Rows) -> bool:
    task_id = line.outcome.result.get("taskId")
    return task_id is None or _has_ended(task_id, rows)


def _reported(line: LoggedRequest, rows: Rows) -> bool:
    ends = line.request.arguments["status"] in ("COMPLETED", "FAILED") and line.outcome.result["applied"]
    task_id = line.outcome.result["taskId"]
    # With asyncComplete the first such report ends the worker's part only.
    handed_over = any(task.id == task_id and task.dispatched and not task.queue for task in rows.tasks)
    return not ends or handed_over or _has_ended(task_id, rows)


def _has_ended(task_id: str, rows: Rows) -> bool:
    """Return whether a task has ended, or is no part of the flow any more."""
    task = next((task for task in rows.tasks if task.id == task_id), None)
    return task is None or task.status.is_terminal


def _restarted(line: LoggedRequest, rows: Rows) -> bool:
    anew = rows.workflow.created_at == line.at and all(task.scheduled_at >= line.at for task in rows.tasks)
    return anew and _all_goes_on(line, rows)


def _rerun(line: LoggedRequest, rows: Rows) -> bool:
    gone = split_task_id(str(line.request.arguments.get("reRunFromTaskId")))
    left = task_of(rows, gone[1]) if gone is not None and gone[0] == rows.workflow.id else None
    return left is None and _retried(line, rows)


def _skipped(line: LoggedRequest, rows: Rows) -> bool:
    ref = str(line.request.arguments["ref"])
    reached = any(task.ref == ref for task in rows.tasks)
    return rows.workflow.status.is_terminal or reached or ref in rows.workflow.skips


def _told(line: LoggedRequest, rows: Rows) -> bool:
    return rows.workflow.status.is_terminal or line.request.event_id in _messages(rows)


def _all_goes_on(line: LoggedRequest, rows: Rows) -> bool:
    """Return whether nothing in a run that goes on again stays as it had ended, and whether the run above is told."""
    last = {task.ref: task for task in rows.tasks}
    left = any(task.status in _UNFINISHED and not task.executed and task.ended_at < line.at for task in last.values())
    commands = recall(rows.workflow.unconfirmed, line.request.event_id) or ()
    told = rows.workflow.parent_id is None or ASKED_BY in line.request.arguments or ReviveParent() in commands
    return told and not (left and rows.workflow.status.is_open)


def _still_waits(task: Task, asked_at: Instant) -> bool:
    """True when a task that had been scheduled by then is not to be handed out yet."""
    delayed = task.status is TaskStatus.SCHEDULED and not task.dispatched and bool(task.queue)
    return delayed and task.scheduled_at < asked_at < task.visible_at


def _messages(rows: Rows) -> set[str]:
    """Return the ids of all messages that wait in a run or were taken by its tasks."""
    taken = (message for task in rows.tasks for message in task.output.get("messages", ()))
    return {message["id"] for message in (*rows.workflow.messages, *taken)}


#: By verb, whether it can be seen to have happened.
_SHOWN: dict[str, Callable[[LoggedRequest, Rows], bool]] = {
    "pause": _paused,
    "resume": lambda _, rows: rows.workflow.status is not WorkflowStatus.PAUSED,
    "terminate": _terminated,
    "retry": _retried,
    "restart": _restarted,
    "rerun": _rerun,
    "jump": _jumped,
    "upgrade": _upgraded,
    "signal": _signalled,
    "update_task": _reported,
    "take_again": lambda line, _: line.outcome.result["timesBegun"] > 1,
    "skip_task": _skipped,
    "remove": lambda _line, _rows: False,
    "update_variables": lambda line, rows: (
        rows.workflow.variables.items() >= line.request.arguments["variables"].items()
    ),
    "reset_callbacks": lambda line, rows: not any(_still_waits(task, line.at) for task in rows.tasks),
    "send_message": _told,
}


def hastened_by(logged: Iterable[LoggedRequest]) -> frozenset[str]:
    """Return the ids of the tasks whose delays these requests have ended."""
    resets = (line for line in logged if line.request.verb == "reset_callbacks" and line.outcome.granted)
    return frozenset(task for line in resets for task in line.outcome.result["tasks"])
