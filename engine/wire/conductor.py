"""Runs as Conductor's clients see them: Workflow, Task, WorkflowSummary and their kin (reference 6).

What Conductor leaves out when it is null is left out; nulls inside people's data are kept. Times are epoch
milliseconds, 0 for "never", except in summaries, where they are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from engine.clock import SECOND, Instant, iso, milliseconds
from engine.errors import NotFound
from engine.model.definition import TaskDef, WorkflowDef, WorkflowTask
from engine.model.execution import NEVER, Task, Workflow, split_task_id, task_id
from engine.model.payload import Json, JsonObject, StoredOutside
from engine.model.status import Slot, TaskStatus
from engine.wire.fields import Fields, write_json

#: What a worker may report (reference 4.1).
REPORTABLE = (
    TaskStatus.IN_PROGRESS,
    TaskStatus.COMPLETED,
    TaskStatus.FAILED,
    TaskStatus.FAILED_WITH_TERMINAL_ERROR,
    TaskStatus.CANCELED,
)

#: Characters of a reason that are kept (Conductor cuts there).
REASON_LIMIT = 500

#: Two of these fields are getters that leak into Conductor's JSON; clients' models expect them.
_NO_EXECUTION_METADATA: JsonObject = {"additionalContext": {}, "empty": True, "additionalContextMap": {}}


class Described(Struct, frozen=True, kw_only=True):
    """What the definition says about one task row: its step, its type and name as shown, and its limits."""

    step: WorkflowTask
    task_type: str
    task_def_name: str
    definition: TaskDef | None = None


#: Finds what the definition says about a row; the decider's room knows how to walk a definition.
Describe = Callable[[Task], Described]


def workflow_json(
    workflow: Workflow, tasks: Iterable[Task], definition: WorkflowDef, describe: Describe, include_tasks: bool = True
) -> dict[str, Json]:
    """Return Conductor's Workflow object; ``tasks`` in the order of seq."""
    created = milliseconds(workflow.created_at)
    shown = [task_json(task, workflow, describe(task)) for task in tasks] if include_tasks else []
    return {
        "ownerApp": "",
        "createTime": created,
        "updateTime": milliseconds(workflow.updated_at),
        "status": workflow.status.value,
        "endTime": milliseconds(workflow.ended_at),
        "workflowId": workflow.id,
        "tasks": shown,
        "input": _inside(workflow.input),
        "output": _inside(workflow.output),
        "taskToDomain": workflow.task_to_domain,
        "failedReferenceTaskNames": list(workflow.failed_refs),
        "failedTaskNames": list(workflow.failed_names),
        "workflowDefinition": definition.to_json(),
        "priority": workflow.priority,
        "variables": workflow.variables,
        "lastRetriedTime": milliseconds(workflow.last_retried_at),
        "history": [],
        "rateLimited": workflow.slot is Slot.WAITING,
        "startTime": created,
        "workflowName": workflow.name,
        "workflowVersion": workflow.version,
        **_present(
            correlationId=workflow.correlation_id,
            parentWorkflowId=workflow.parent_id,
            parentWorkflowTaskId=workflow.parent_task_id,
            reasonForIncompletion=workflow.reason,
            event=workflow.event,
            createdBy=workflow.created_by,
            idempotencyKey=workflow.idempotency_key,
            rateLimitKey=workflow.rate_limit_key,
            **_places(workflow),
        ),
    }


def task_json(task: Task, workflow: Workflow, described: Described) -> dict[str, Json]:
    """Return Conductor's Task object."""
    definition = described.definition
    return {
        "taskType": described.task_type,
        "status": task.status.value,
        "inputData": _inside(task.input),
        "referenceTaskName": task.ref,
        "retryCount": task.attempt,
        "seq": task.seq,
        "pollCount": task.polls,
        "taskDefName": described.task_def_name,
        "scheduledTime": milliseconds(task.scheduled_at),
        "startTime": milliseconds(task.started_at),
        "endTime": milliseconds(task.ended_at),
        "updateTime": milliseconds(task.updated_at),
        "firstStartTime": milliseconds(task.started_at),
        "startDelayInSeconds": _delay_seconds(task),
        "retried": task.retried,
        "executed": task.executed,
        "callbackFromWorker": True,
        "responseTimeoutSeconds": definition.response_timeout_seconds if definition else 0,
        "workflowInstanceId": task.workflow_id,
        "workflowType": workflow.name,
        "taskId": task.id,
        "callbackAfterSeconds": task.callback_after_seconds,
        "outputData": _inside(task.output),
        "workflowTask": described.step.to_json(),
        "rateLimitPerFrequency": (definition.rate_limit_per_frequency if definition else None) or 0,
        "rateLimitFrequencyInSeconds": (definition.rate_limit_frequency_in_seconds or 1) if definition else 0,
        "workflowPriority": workflow.priority,
        "iteration": task.iteration,
        "subworkflowChanged": False,
        "executionMetadata": _NO_EXECUTION_METADATA,
        "loopOverTask": task.iteration > 0,
        "queueWaitTime": _queue_wait_ms(task),
        **_present(
            correlationId=workflow.correlation_id,
            retriedTaskId=task_id(task.workflow_id, task.retry_of) if task.retry_of else None,
            workerId=task.worker,
            domain=task.domain,
            reasonForIncompletion=task.reason,
            # Known from the start, but shown only once the child is stored: clients look it up at once.
            subWorkflowId=None if task.status is TaskStatus.SCHEDULED else task.child_id,
            taskDefinition=definition.to_json() if definition else None,
            executionNameSpace=definition.execution_name_space if definition else None,
            isolationGroupId=definition.isolation_group_id if definition else None,
            **_places(task),
        ),
    }


def summary_json(workflow: Workflow) -> dict[str, Json]:
    """Return Conductor's WorkflowSummary; input and output are JSON texts (Conductor prints Java's map notation)."""
    given, produced = write_json(workflow.input).decode(), write_json(workflow.output).decode()
    ended = workflow.status.is_terminal and workflow.ended_at
    return {
        "workflowType": workflow.name,
        "version": workflow.version,
        "workflowId": workflow.id,
        "startTime": iso(workflow.created_at),
        "updateTime": iso(workflow.updated_at),
        "status": workflow.status.value,
        "input": given,
        "output": produced,
        "executionTime": milliseconds(workflow.ended_at - workflow.created_at) if ended else 0,
        "failedReferenceTaskNames": ",".join(workflow.failed_refs),
        "failedTaskNames": list(workflow.failed_names),
        "priority": workflow.priority,
        "taskToDomain": workflow.task_to_domain,
        "parentWorkflowId": workflow.parent_id or "",
        "inputSize": getattr(workflow.input, "size", len(given)),
        "outputSize": getattr(workflow.output, "size", len(produced)),
        **_present(
            correlationId=workflow.correlation_id,
            endTime=iso(workflow.ended_at) if ended else None,
            reasonForIncompletion=workflow.reason,
            event=workflow.event,
            createdBy=workflow.created_by,
            idempotencyKey=workflow.idempotency_key,
            **_places(workflow),
        ),
    }


def status_json(workflow: Workflow, *, include_output: bool, include_variables: bool) -> dict[str, Json]:
    """Return Conductor's WorkflowStatus object, the cheap answer to "how far is it?"."""
    return {
        "workflowId": workflow.id,
        "status": workflow.status.value,
        **_present(
            correlationId=workflow.correlation_id,
            output=workflow.output if include_output else None,
            variables=workflow.variables if include_variables else None,
        ),
    }


def read_task_result(document: Json) -> tuple[str, dict[str, Json]]:
    """Read a TaskResult body as workflow id and arguments of the request ``update_task``.

    The arguments are ``taskId``, ``status``, ``output``, ``reason``, ``workerId``, ``callbackAfterSeconds`` and
    ``extendLease``. Raises ``BadMessage`` naming every wrong field, and ``NotFound`` when no run can have the task.
    """
    fields = Fields(document, "task result")
    identity = fields.needed("taskId")
    workflow_id = fields.needed("workflowInstanceId")
    status = fields.one_of("status", [status.value for status in REPORTABLE])
    if status is None and fields.raw("status") is None:
        fields.fault("status", "is missing")
    arguments = {"taskId": identity, "status": status, **read_word(fields), "extendLease": fields.flag("extendLease")}
    fields.finish()
    split = split_task_id(identity)
    if split is None or split[0] != workflow_id:
        raise NotFound(f"No such task found by id: {identity[:200]!r} is none of workflow {workflow_id[:200]!r}.")
    return workflow_id, arguments


def read_word(fields: Fields) -> dict[str, Json]:
    """Read what a TaskResult says beside its status: ``output``, ``reason``, ``workerId``, ``callbackAfterSeconds``."""
    reason = fields.text("reasonForIncompletion", limit=1_000_000)
    return {
        "output": fields.mapping("outputData"),
        "reason": reason[:REASON_LIMIT] if reason else None,
        "workerId": fields.text("workerId"),
        "callbackAfterSeconds": fields.integer("callbackAfterSeconds", 0) or 0,
    }


def _inside(payload: JsonObject) -> JsonObject:
    """Return what is shown of a payload: nothing of one that is kept outside, for clients ask for its place."""
    return {} if isinstance(payload, StoredOutside) else payload


def _places(record: Workflow | Task) -> dict[str, Json]:
    """Return where those payloads lie that are kept outside of the row."""
    return {
        f"external{name}PayloadStoragePath": payload.path
        for name, payload in (("Input", record.input), ("Output", record.output))
        if isinstance(payload, StoredOutside)
    }


def _present(**fields: Json) -> dict[str, Json]:
    return {name: value for name, value in fields.items() if value is not None}


def _delay_seconds(task: Task) -> int:
    """Return the start or retry delay: how much later than scheduled the task was to be handed out."""
    return max(0, task.visible_at - task.scheduled_at) // SECOND if task.scheduled_at else 0


def _queue_wait_ms(task: Task) -> int:
    if task.started_at == NEVER or task.scheduled_at == NEVER:
        return 0
    return max(0, milliseconds(Instant(task.started_at - max(task.scheduled_at, task.visible_at))))
