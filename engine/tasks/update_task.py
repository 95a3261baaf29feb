"""UPDATE_TASK: ends a task that waits, in any run (Orkes)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.model.execution import WORKFLOW_ID, Task, split_task_id
from engine.model.passing import asked_by
from engine.model.payload import JsonObject
from engine.model.request import Request
from engine.tasks.step import Ask, At, Fail, Step, TaskType

_STATUSES = ("COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "IN_PROGRESS", "CANCELED")


class UpdateTask(TaskType):
    """Names the task by ``taskId``, or by ``taskRefName`` and ``workflowId``, which is the run itself if left out.

    The other run is asked by a request on its own road, and the task hears what came of it: it fails where there is
    no such task that is open.
    """

    name = "UPDATE_TASK"

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand a task and a status; what is written out must be one that can be reported."""
        given = config.input_parameters
        literal = {name: value for name, value in given.items() if not is_expression(value)}
        if not given.get("taskId") and not given.get("taskRefName"):
            yield Fault("inputParameters.taskRefName", "say which task: taskId, or taskRefName with workflowId")
        if not given.get("taskStatus"):
            yield Fault("inputParameters.taskStatus", f"must be one of {', '.join(_STATUSES)}")
        elif "taskStatus" in literal and literal["taskStatus"] not in _STATUSES:
            status = literal["taskStatus"]
            yield Fault("inputParameters.taskStatus", f"must be one of {', '.join(_STATUSES)}, not {status!r:.100}")

    def start(self, at: At) -> Step:
        """Ask the other run, if it is clear which one and what for."""
        given = at.task.input
        if given.get("taskStatus") not in _STATUSES:
            return _wrong(f"'taskStatus' must be one of {', '.join(_STATUSES)}, not {given.get('taskStatus')!r:.100}")
        if not isinstance(given.get("taskOutput") or {}, dict):
            return _wrong("'taskOutput' must be a JSON object")
        if not given.get("taskId") and not given.get("taskRefName"):
            return _wrong("'taskId' is missing, and so is 'taskRefName': nothing says which task")
        if WORKFLOW_ID.fullmatch(_run(at.task)) is None:
            return _wrong(f"There can be no workflow of the id {_run(at.task)!r:.200}")
        return Ask()

    def request(self, task: Task) -> Request | None:
        """Return the report on the other task."""
        given = task.input
        named: JsonObject = {"taskId": given["taskId"]} if given.get("taskId") else {"ref": given["taskRefName"]}
        arguments = {
            **named,
            "status": given["taskStatus"],
            "output": given.get("taskOutput") or {},
            "mergeOutput": bool(given.get("mergeOutput")),
            "onlyOpen": True,
        }
        if given.get("reasonForIncompletion"):
            arguments["reason"] = str(given["reasonForIncompletion"])
        return asked_by(task, _run(task), "update_task", arguments)


def _run(task: Task) -> str:
    """Return the id of the run that is asked: the one the task's id tells, the one that is named, or its own."""
    parts = split_task_id(str(task.input.get("taskId") or ""))
    return parts[0] if parts is not None else str(task.input.get("workflowId") or task.workflow_id)


def _wrong(reason: str) -> Fail:
    return Fail(reason=reason, terminal=True)


TYPE = UpdateTask()
