"""Conductor's SignalResponse: what whoever waited for a run is told of it, or of the task that holds it up (5.2)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from engine.model.payload import Json


class ReturnStrategy(StrEnum):
    """What is to be told."""

    #: The run that was addressed.
    TARGET_WORKFLOW = "TARGET_WORKFLOW"
    #: The run in which somebody has to do something, which may be one below it.
    BLOCKING_WORKFLOW = "BLOCKING_WORKFLOW"
    #: The task that somebody has to end.
    BLOCKING_TASK = "BLOCKING_TASK"
    #: The same, for whoever wants its input only.
    BLOCKING_TASK_INPUT = "BLOCKING_TASK_INPUT"
    #: The run that was addressed, without its tasks.
    TARGET_WORKFLOW_OUTPUT = "TARGET_WORKFLOW_OUTPUT"

    @property
    def of_task(self) -> bool:
        """Whether a task is to be told of rather than a run."""
        return self in {ReturnStrategy.BLOCKING_TASK, ReturnStrategy.BLOCKING_TASK_INPUT}


class Waited(Struct, frozen=True, kw_only=True):
    """Who has waited, and how it came out."""

    strategy: ReturnStrategy
    request_id: str
    #: The time was up before the run had come to rest.
    timed_out: bool


def run_response(waited: Waited, target: Json, run: Json) -> Json:
    """Return what is told of ``run``, which the run ``target`` waits for; both are Conductor's Workflow objects."""
    answer = _frame(waited, target)
    answer |= _picked(run, "workflowId", "correlationId", "input", "output")
    if waited.strategy is ReturnStrategy.TARGET_WORKFLOW_OUTPUT:
        return answer
    return answer | _picked(
        run,
        "priority", "variables", "tasks", "createdBy", "createTime", "status", "updateTime", "reasonForIncompletion",
    )  # fmt: skip


def task_response(waited: Waited, target: Json, holder: Json, task: Json) -> Json:
    """Return what is told of a task of the run ``holder``; all are Conductor's objects. None where no task is open."""
    answer = _frame(waited, target)
    answer |= _picked(holder, "workflowId", "correlationId", "priority", "variables")
    answer["workflowType"] = holder["workflowName"]
    if task is None:
        return answer | {"input": {}, "output": {}}
    answer |= _picked(
        task,
        "taskType", "taskId", "referenceTaskName", "retryCount", "taskDefName", "retriedTaskId",
        "reasonForIncompletion", "status", "updateTime",
    )  # fmt: skip
    answer |= {"input": task["inputData"], "output": task["outputData"], "createTime": task["startTime"]}
    return answer if task.get("workerId") is None else {**answer, "createdBy": task["workerId"]}


def _frame(waited: Waited, target: Json) -> dict[str, Json]:
    return {
        "responseType": waited.strategy.value,
        "targetWorkflowId": target["workflowId"],
        "targetWorkflowStatus": target["status"],
        "requestId": waited.request_id,
        "signalTimeout": waited.timed_out,
    }


def _picked(document: Json, *names: str) -> dict[str, Json]:
    return {name: document[name] for name in names if document.get(name) is not None}
