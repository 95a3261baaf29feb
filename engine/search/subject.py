"""What can be searched for, and by which fields (Conductor 5.12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from engine.model.execution import split_task_id
from engine.model.schedule import ExecutionState
from engine.model.status import TaskStatus, WorkflowStatus
from engine.search.condition import Condition, Field, Kind, Matches, conjuncts, every, fields_of


class Subject(Struct, frozen=True):
    """One kind of thing to be found: its fields by the names that people write, and where free words are looked for."""

    what: str
    fields: Mapping[str, Field]
    words_in: tuple[Field, ...]
    #: A query that shows how to write one.
    example: str


def _of(prefix: str, kinds: Mapping[str, Kind], **choices: tuple[str, ...]) -> dict[str, Field]:
    return {key: Field(f"{prefix}.{key}", kind, choices.get(key, ())) for key, kind in kinds.items()}


_RUN: Final = _of(
    "run",
    {
        "id": Kind.TEXT,
        "name": Kind.TEXT,
        "version": Kind.NUMBER,
        "status": Kind.CHOICE,
        "correlation_id": Kind.TEXT,
        "parent_id": Kind.TEXT,
        "classifier": Kind.TEXT,
        "priority": Kind.NUMBER,
        "created_at": Kind.MOMENT,
        "updated_at": Kind.MOMENT,
        "ended_at": Kind.MOMENT,
        "took": Kind.DURATION,
        "reason": Kind.TEXT,
        "event": Kind.TEXT,
        "created_by": Kind.TEXT,
        "idempotency_key": Kind.TEXT,
        "failed_refs": Kind.LIST,
        "failed_names": Kind.LIST,
        "task_to_domain": Kind.PAYLOAD,
        "input": Kind.PAYLOAD,
        "output": Kind.PAYLOAD,
    },
    status=tuple(WorkflowStatus),
)

_TASK: Final = _of(
    "task",
    {
        "id": Kind.TEXT,
        "ref": Kind.TEXT,
        "shown_type": Kind.TEXT,
        "name": Kind.TEXT,
        "status": Kind.CHOICE,
        "scheduled_at": Kind.MOMENT,
        "started_at": Kind.MOMENT,
        "updated_at": Kind.MOMENT,
        "ended_at": Kind.MOMENT,
        "took": Kind.DURATION,
        "waited": Kind.DURATION,
        "reason": Kind.TEXT,
        "domain": Kind.TEXT,
        "worker": Kind.TEXT,
        "attempt": Kind.NUMBER,
        "input": Kind.PAYLOAD,
        "output": Kind.PAYLOAD,
    },
    status=tuple(TaskStatus),
)

_DATE: Final = _of(
    "date",
    {
        "id": Kind.TEXT,
        "schedule": Kind.TEXT,
        "workflow_name": Kind.TEXT,
        "state": Kind.CHOICE,
        "at": Kind.MOMENT,
        "executed_at": Kind.MOMENT,
        "reason": Kind.TEXT,
    },
    state=tuple(ExecutionState),
)

RUN_ID: Final = _RUN["id"]
RUN_NAME: Final = _RUN["name"]
RUN_STATUS: Final = _RUN["status"]
RUN_CORRELATION: Final = _RUN["correlation_id"]
RUN_PARENT: Final = _RUN["parent_id"]
#: What the definition says; no store knows it, so it is exchanged for names of workflows before one is asked.
RUN_CLASSIFIER: Final = _RUN["classifier"]
RUN_BEGAN: Final = _RUN["created_at"]
TASK_ID: Final = _TASK["id"]
TASK_STATUS: Final = _TASK["status"]
DATE_ID: Final = _DATE["id"]
DATE_SCHEDULE: Final = _DATE["schedule"]

RUNS: Final = Subject(
    "workflows",
    {
        "workflowId": _RUN["id"],
        "workflowType": _RUN["name"],
        "workflowName": _RUN["name"],
        "version": _RUN["version"],
        "correlationId": _RUN["correlation_id"],
        "startTime": _RUN["created_at"],
        "createTime": _RUN["created_at"],
        "updateTime": _RUN["updated_at"],
        "endTime": _RUN["ended_at"],
        "status": _RUN["status"],
        "input": _RUN["input"],
        "output": _RUN["output"],
        "reasonForIncompletion": _RUN["reason"],
        "executionTime": _RUN["took"],
        "event": _RUN["event"],
        "failedReferenceTaskNames": _RUN["failed_refs"],
        "failedTaskNames": _RUN["failed_names"],
        "priority": _RUN["priority"],
        "createdBy": _RUN["created_by"],
        "taskToDomain": _RUN["task_to_domain"],
        "idempotencyKey": _RUN["idempotency_key"],
        "parentWorkflowId": _RUN["parent_id"],
        "classifier": _RUN["classifier"],
    },
    tuple(
        _RUN[key]
        for key in ("id", "name", "correlation_id", "status", "reason", "failed_refs", "event", "input", "output")
    ),
    "workflowType IN (order, refund_*) AND status = FAILED AND startTime > 2026-01-31",
)

TASKS: Final = Subject(
    "tasks",
    {
        "taskId": _TASK["id"],
        "taskType": _TASK["shown_type"],
        "taskDefName": _TASK["name"],
        "referenceTaskName": _TASK["ref"],
        "workflowId": _RUN["id"],
        "workflowType": _RUN["name"],
        "correlationId": _RUN["correlation_id"],
        "scheduledTime": _TASK["scheduled_at"],
        "startTime": _TASK["started_at"],
        "updateTime": _TASK["updated_at"],
        "endTime": _TASK["ended_at"],
        "status": _TASK["status"],
        "reasonForIncompletion": _TASK["reason"],
        "executionTime": _TASK["took"],
        "queueWaitTime": _TASK["waited"],
        "input": _TASK["input"],
        "output": _TASK["output"],
        "domain": _TASK["domain"],
        "workerId": _TASK["worker"],
        "retryCount": _TASK["attempt"],
        "workflowPriority": _RUN["priority"],
    },
    tuple(_TASK[key] for key in ("id", "ref", "name", "status", "reason", "worker", "input", "output")),
    "taskDefName = charge AND status IN (FAILED, TIMED_OUT)",
)

SCHEDULE_EXECUTIONS: Final = Subject(
    "executions",
    {
        "executionId": _DATE["id"],
        "workflowId": _DATE["id"],
        "scheduleName": _DATE["schedule"],
        "workflowName": _DATE["workflow_name"],
        "workflowType": _DATE["workflow_name"],
        "state": _DATE["state"],
        "status": _DATE["state"],
        "scheduledTime": _DATE["at"],
        "executionTime": _DATE["executed_at"],
        "startTime": _DATE["executed_at"],
        "reason": _DATE["reason"],
    },
    tuple(_DATE[key] for key in ("id", "schedule", "workflow_name", "state", "reason")),
    "scheduleName = nightly AND state IN (FAILED, POLLED)",
)


def apart(condition: Condition) -> tuple[Condition, Condition]:
    """Return what a condition on tasks asks of their runs, and what of the tasks; an id of a task names its run too."""
    of_runs: list[Condition] = []
    of_tasks: list[Condition] = []
    for part in conjuncts(condition):
        about_runs = all(field.key.startswith("run.") for field in fields_of(part))
        (of_runs if about_runs else of_tasks).append(part)
        if isinstance(part, Matches) and part.field == TASK_ID and not part.patterns:
            runs = tuple(dict.fromkeys(key[0] for key in map(split_task_id, part.texts) if key is not None))
            of_runs.append(Matches(RUN_ID, runs or ("",)))
    return every(of_runs), every(of_tasks)
