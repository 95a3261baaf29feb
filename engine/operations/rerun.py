"""rerun: a run that has ended is done over from one of its tasks, or whole (Conductor 4.10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.model.execution import Task, split_task_id
from engine.model.payload import JsonObject
from engine.model.request import ASKED_BY, Outcome, Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.operations.desk import Desk, granted, refused
from engine.operations.restart import cleared

_UNFINISHED = frozenset(
    {TaskStatus.FAILED, TaskStatus.FAILED_WITH_TERMINAL_ERROR, TaskStatus.TIMED_OUT, TaskStatus.CANCELED}
)


def operate(desk: Desk, request: Request) -> Outcome:
    """Do over what ``reRunFromTaskId`` names and all that the flow did behind it; without it, everything.

    The task's step is evaluated again, or given ``taskInput``. The id may be that of a task of a run below this one:
    the request then goes down to it, and every run on the way waits for the next one again. ``workflowInput`` and
    ``correlationId`` replace those of this run. A child whose parent asks (``askedBy``) answers also when it cannot
    do it, because the task waits for it.
    """
    outcome = _operate(desk, request)
    if not outcome.granted and ASKED_BY in request.arguments and desk.workflow.status.is_terminal:
        desk.tell_parent_again(request)
    return outcome


def _operate(desk: Desk, request: Request) -> Outcome:
    workflow, arguments = desk.workflow, request.arguments
    if not workflow.status.is_terminal:
        return refused(409, f"Workflow {workflow.id} is {workflow.status}: only a run that has ended can be done over.")
    if wrong := " ".join(_faults(arguments)):
        return refused(400, wrong)
    wanted = arguments.get("reRunFromTaskId") or None
    way = () if wanted is None else _way(desk, str(wanted))
    if wanted is not None and not way:
        return refused(400, f"Task {wanted} not found")
    given = arguments.get("workflowInput")
    wrong_input = None if given is None else desk.take_input(given)
    if wrong_input is not None:
        return refused(400, wrong_input)
    if way:
        _go_back(desk, way, arguments)
    else:
        desk.take_all_out()
    correlation_id = arguments.get("correlationId") or workflow.correlation_id
    desk.change_workflow(
        status=WorkflowStatus.RUNNING, last_retried_at=desk.now, correlation_id=correlation_id, **cleared()
    )
    desk.tell("RERAN")
    if ASKED_BY not in arguments:
        desk.revive_parent()
    desk.go_on()
    return granted(workflowId=workflow.id)


def _faults(arguments: JsonObject) -> Iterator[str]:
    for name in ("taskInput", "workflowInput"):
        if not isinstance(arguments.get(name) or {}, Mapping):
            yield f"{name!r} must be a JSON object."
    for name in ("reRunFromTaskId", "correlationId"):
        if not isinstance(arguments.get(name) or "", str):
            yield f"{name!r} must be a text."


def _way(desk: Desk, task_id: str) -> tuple[str, ...]:
    """Return the ids of the tasks that lead to the task, this run's own first; empty when there is no such task."""
    parts = split_task_id(task_id)
    if parts is None:
        return ()
    if parts[0] == desk.workflow.id:
        return (task_id,) if desk.task(parts[1]) is not None else ()
    return desk.way_to(task_id)


def _go_back(desk: Desk, way: tuple[str, ...], arguments: JsonObject) -> None:
    parts = split_task_id(way[0])
    task = None if parts is None else desk.task(parts[1])
    assert task is not None, "the way begins in this run"
    given = arguments.get("taskInput")
    if len(way) == 1:
        desk.go_back_to(task, given)
    else:
        desk.go_back_behind(task)
        desk.rerun_child(task, {"reRunFromTaskId": way[-1], "taskInput": given})
    _take_up_beside(desk)


def _take_up_beside(desk: Desk) -> None:
    """Let go on what had not come to its end beside the task: other branches that were cancelled, or had failed."""
    last: dict[str, Task] = {task.ref: task for task in desk.tasks()}
    for task in last.values():
        if task.executed or task.status not in _UNFINISHED:
            continue
        if desk.is_container(task):
            desk.reopen(task)
        elif desk.has_child(task):
            desk.retry_child(task)
        else:
            desk.attempt_again(task)
